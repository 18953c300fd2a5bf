#!/usr/bin/env perl
# Location with a path: the server itself answers with that page. The browser does
# not learn of it, and the address stays the same.
use strict;
use warnings;

print "Location: /arrived.html\n\n";
