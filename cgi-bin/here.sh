#!/bin/sh
# Location with a path: the server itself answers with that page. The browser does
# not learn of it, and the address stays the same.

echo "Location: /arrived.html"
echo
