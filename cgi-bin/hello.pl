#!/usr/bin/env perl
# The smallest complete CGI program: headers, one empty line, the page.
use strict;
use warnings;

print "Content-Type: text/html; charset=utf-8\n";
print "\n";    # the empty line: the headers end here
print <<'PAGE';
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Hello from Perl</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Hello from Perl</h1>
<p>The web server started a program, and this page is what it printed.</p>
<p class="nav"><a href="/">Home</a> <a href="/source/hello.pl">The program</a></p>
</main>
PAGE
