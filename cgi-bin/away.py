#!/usr/bin/env python3
# Location with a whole URL: the server answers 302, and the browser goes there.

print("Location: https://httpd.apache.org/docs/2.4/howto/cgi.html")
print()
