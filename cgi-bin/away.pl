#!/usr/bin/env perl
# Location with a whole URL: the server answers 302, and the browser goes there.
use strict;
use warnings;

print "Location: https://httpd.apache.org/docs/2.4/howto/cgi.html\n\n";
