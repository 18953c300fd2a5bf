#!/usr/bin/env perl
# Status: the program chooses the number of the answer. Without it, it is 200.
use strict;
use warnings;

print "Status: 418 I'm a teapot\n";
print "Content-Type: text/html; charset=utf-8\n";
print "\n";
print <<'PAGE';
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>418 I'm a teapot</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>418 I'm a teapot</h1>
<p>The same can be done with a 404 that shows a page of your own. To see the number:
<code>curl -i http://localhost:8080/cgi-bin/status.pl</code></p>
<p class="nav"><a href="/">Home</a> <a href="/source/status.pl">The program</a></p>
</main>
PAGE
