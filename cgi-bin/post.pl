#!/usr/bin/env perl
# A form with method POST: what was typed arrives on standard input.
use strict;
use warnings;

my $LIMIT = 65536;    # bytes; a program decides how much it takes

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

# Read CONTENT_LENGTH bytes and not one more: nothing promises an end after them.
my ($length) = ($ENV{CONTENT_LENGTH} // '') =~ /^([0-9]+)$/;
$length //= 0;
if ($length > $LIMIT) {
    # Read it all the same and forget it: a browser listens when it has sent everything.
    read STDIN, my $forgotten, $length;
    print "Status: 413 Content Too Large\nContent-Type: text/plain\n\n";
    print "At most $LIMIT bytes, please.\n";
    exit;
}
binmode STDIN;
my $body = '';
read STDIN, $body, $length;

my $text   = escape(field('text', $body));
my $shown  = escape($body) || '(nothing yet)';
my $method = escape($ENV{REQUEST_METHOD} // '');

print "Content-Type: text/html; charset=utf-8\n\n";
print <<"PAGE";
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A POST form</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>A POST form</h1>
<form method="post" action="/cgi-bin/post.pl">
  <label for="text">Some lines of text</label>
  <textarea id="text" name="text" rows="4">
$text</textarea>
  <button>Send</button>
</form>
<p>REQUEST_METHOD is <code>$method</code>, and standard input had $length bytes:</p>
<pre>$shown</pre>
<p class="nav"><a href="/">Home</a> <a href="/source/post.pl">The program</a></p>
</main>
PAGE
