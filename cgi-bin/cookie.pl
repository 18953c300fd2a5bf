#!/usr/bin/env perl
# A cookie: text that the browser keeps and sends along with each later request.
use strict;
use warnings;

# HTTP_COOKIE looks like a=1; visits=2. The visitor can change it: take digits only.
my ($before) = ($ENV{HTTP_COOKIE} // '') =~ /(?:^|;\s*)visits=([0-9]{1,6})(?:;|$)/;
my $visits = ($before // 0) + 1;
my $sent = $visits - 1 || '...';

print "Content-Type: text/html; charset=utf-8\n";
print "Set-Cookie: visits=$visits; Path=/cgi-bin/; Max-Age=86400; HttpOnly; SameSite=Lax\n";
print "\n";
print <<"PAGE";
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A cookie</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Visit number $visits</h1>
<p>The program forgot you as soon as it ended. Your browser reminded it, by the header
<code>Cookie: visits=$sent</code>. <a href="/cgi-bin/cookie.pl">Come again</a>.</p>
<p class="nav"><a href="/">Home</a> <a href="/source/cookie.pl">The program</a></p>
</main>
PAGE
