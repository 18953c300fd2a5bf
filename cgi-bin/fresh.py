#!/usr/bin/env python3
# Expires and Last-Modified: for how long a browser may keep the answer, and how it
# may ask whether there is a new one. Dates are in GMT and have exactly this form:
# Sun, 06 Nov 1994 08:49:37 GMT
import time
from email.utils import formatdate

now = int(time.time())
midnight = now - now % 86400  # this page changes once a day

print("Content-Type: text/html; charset=utf-8")
print("Expires: " + formatdate(now + 60, usegmt=True))
print("Last-Modified: " + formatdate(midnight, usegmt=True))
print()
print(f"""<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Expires and Last-Modified</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Fresh for a minute</h1>
<p>Printed at <strong>{formatdate(now, usegmt=True)}</strong>.
<a href="/cgi-bin/fresh.py">Follow this link</a> within a minute: the time stays, since
the browser does not ask. <em>Reload</em> asks.</p>
<p>Somebody who has today's page already is told so in a few bytes, 304 Not Modified:</p>
<pre>curl -i -z '{formatdate(now, usegmt=True)}' http://localhost:8080/cgi-bin/fresh.py</pre>
<p class="nav"><a href="/">Home</a> <a href="/source/fresh.py">The program</a></p>
</main>""")
