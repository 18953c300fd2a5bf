#!/usr/bin/env perl
# You read this in your browser? Then the server took this file for an ordinary one
# and served it: the AddHandler line of .htaccess in this folder does not name .pl.
# Add it there, load this page again, and the program is executed.
use strict;
use warnings;

print "Content-Type: text/html; charset=utf-8\n\n";
print <<'PAGE';
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Executed</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Executed</h1>
<p>Well done: <code>.htaccess</code> names <code>.pl</code> now.</p>
<p class="nav"><a href="/lessons/on/">The lesson</a> <a href="/">Home</a></p>
</main>
PAGE
