#!/usr/bin/env perl
# All that the server tells a program about the request: its environment variables.
use strict;
use warnings;

# The visitor chooses some of these. What goes into a page must be escaped, or a <
# in it becomes part of the page's code.
sub escape {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;', "'" => '&#39;');
    $text =~ s/([&<>"'])/$entity{$1}/g;
    return $text;
}

print "Content-Type: text/html; charset=utf-8\n\n";
print <<'PAGE';
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>CGI variables</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>What a program is told</h1>
<p>Add <a href="/cgi-bin/variables.pl/more/path?color=red">a path and a query</a> to the
address, and watch PATH_INFO and QUERY_STRING.</p>
<div class="wide"><table>
PAGE
for my $name (sort keys %ENV) {
    print '<tr><th scope=row>', escape($name), '<td>', escape($ENV{$name}), "\n";
}
print <<'PAGE';
</table></div>
<p class="nav"><a href="/">Home</a> <a href="/source/variables.pl">The program</a></p>
</main>
PAGE
