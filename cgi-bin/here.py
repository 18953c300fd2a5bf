#!/usr/bin/env python3
# Location with a path: the server itself answers with that page. The browser does
# not learn of it, and the address stays the same.

print("Location: /arrived.html")
print()
