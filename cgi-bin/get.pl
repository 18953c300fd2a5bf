#!/usr/bin/env perl
# A form with method GET: what was typed arrives in the URL, as QUERY_STRING.
use strict;
use warnings;

sub escape {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;', "'" => '&#39;');
    $text =~ s/([&<>"'])/$entity{$1}/g;
    return $text;
}

# One field of name=value&name=value, where + is a space and %41 is A.
sub field {
    my ($wanted, $form) = @_;
    for my $pair (split /&/, $form) {
        my ($name, $value) = split /=/, $pair, 2;
        next unless defined $value && $name eq $wanted;
        $value =~ tr/+/ /;
        $value =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
        return $value;
    }
    return '';
}

my $query = $ENV{QUERY_STRING} // '';             # for example name=Ada+L%C3%B6w
my $name  = escape(field('name', $query));        # Ada Löw
my $shown = escape($query) || 'empty';
my $title = $name ne '' ? "Hello, $name" : 'Who are you?';

print "Content-Type: text/html; charset=utf-8\n\n";
print <<"PAGE";
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A GET form</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>$title</h1>
<form method="get" action="/cgi-bin/get.pl">
  <label for="name">Your name</label>
  <input id="name" name="name" value="$name" autocomplete="off">
  <button>Send</button>
</form>
<p>QUERY_STRING is <code>$shown</code>. It is part of the address: it can be bookmarked,
and it stands in logs. No place for secrets.</p>
<p class="nav"><a href="/">Home</a> <a href="/source/get.pl">The program</a></p>
</main>
PAGE
