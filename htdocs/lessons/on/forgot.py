#!/usr/bin/env python3
# Wrong on purpose: the empty line between the headers and the page is missing. The
# server takes the page for a header, finds that it is none, and answers 500. The
# error log says what it found.

print("Content-Type: text/html; charset=utf-8")
print("<h1>Nobody will see this</h1>")
