#!/usr/bin/env perl
# Expires and Last-Modified: for how long a browser may keep the answer, and how it
# may ask whether there is a new one. Dates are in GMT and have exactly this form:
# Sun, 06 Nov 1994 08:49:37 GMT
use strict;
use warnings;
use POSIX qw(strftime);

sub date { return strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime shift) }

my $now      = time;
my $midnight = $now - $now % 86400;    # this page changes once a day
my $shown    = date($now);

print "Content-Type: text/html; charset=utf-8\n";
print 'Expires: ', date($now + 60), "\n";
print 'Last-Modified: ', date($midnight), "\n";
print "\n";
print <<"PAGE";
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Expires and Last-Modified</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Fresh for a minute</h1>
<p>Printed at <strong>$shown</strong>.
<a href="/cgi-bin/fresh.pl">Follow this link</a> within a minute: the time stays, since
the browser does not ask. <em>Reload</em> asks.</p>
<p>Somebody who has today's page already is told so in a few bytes, 304 Not Modified:</p>
<pre>curl -i -z '$shown' http://localhost:8080/cgi-bin/fresh.pl</pre>
<p class="nav"><a href="/">Home</a> <a href="/source/fresh.pl">The program</a></p>
</main>
PAGE
