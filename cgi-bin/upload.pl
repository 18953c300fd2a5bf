#!/usr/bin/env perl
# A file upload. The form's enctype makes the browser send multipart/form-data:
#
#     --BOUNDARY                                                    (CR LF)
#     Content-Disposition: form-data; name="file"; filename="a.png" (CR LF)
#     Content-Type: image/png                                       (CR LF)
#                                                                   (CR LF)
#     the bytes of the file                                         (CR LF)
#     --BOUNDARY--
#
# The boundary, a line that does not occur in the file, is given in CONTENT_TYPE.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);

my $LIMIT = 1024 * 1024;

sub escape {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;', "'" => '&#39;');
    $text =~ s/([&<>"'])/$entity{$1}/g;
    return $text;
}

# The name and the bytes of the first file in a multipart body, or nothing.
sub uploaded {
    my ($type, $body) = @_;
    my ($boundary) = $type =~ m{^multipart/form-data;.*boundary="?([^";]+)}i or return;
    my @parts = split /\r\n--\Q$boundary\E/, "\r\n$body", -1;
    for my $part (@parts[ 1 .. $#parts - 1 ]) {
        my ($head, $data) = split /\r\n\r\n/, $part, 2;
        return ($1, $data) if defined $data && $head =~ /filename="([^"]+)"/;
    }
    return;
}

my ($length) = ($ENV{CONTENT_LENGTH} // '') =~ /^([0-9]+)$/;
$length //= 0;
if ($length > $LIMIT) {
    # Read it all the same and forget it: a browser listens when it has sent everything.
    read STDIN, my $forgotten, $length;
    print "Status: 413 Content Too Large\nContent-Type: text/plain\n\n";
    print "At most $LIMIT bytes, please.\n";
    exit;
}
binmode STDIN;    # bytes, not text
my $body = '';
read STDIN, $body, $length;

my $result = '<p>Choose a file of up to 1 MiB. It is measured, and not kept.</p>';
my ($name, $data) = uploaded($ENV{CONTENT_TYPE} // '', $body);
if (defined $name) {
    # The name is the visitor's claim: show it, escaped, but never open it.
    $result = '<table><tr><th scope=row>Name<td>' . escape($name)
        . '<tr><th scope=row>Size<td>' . length($data) . ' bytes'
        . '<tr><th scope=row>SHA-256<td><code>' . sha256_hex($data) . '</code></table>';
}

print "Content-Type: text/html; charset=utf-8\n\n";
print <<"PAGE";
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A file upload</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>A file upload</h1>
$result
<form method="post" action="/cgi-bin/upload.pl" enctype="multipart/form-data">
  <label for="file">File</label>
  <input id="file" type="file" name="file" required>
  <button>Send</button>
</form>
<p class="nav"><a href="/">Home</a> <a href="/source/upload.pl">The program</a></p>
</main>
PAGE
