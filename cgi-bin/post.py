#!/usr/bin/env python3
# A form with method POST: what was typed arrives on standard input.
import html
import os
import sys
from urllib.parse import parse_qs

LIMIT = 65536  # bytes; a program decides how much it takes
sys.stdout.reconfigure(encoding="utf-8", errors="replace")

# Read CONTENT_LENGTH bytes and not one more: nothing promises an end after them.
length = os.environ.get("CONTENT_LENGTH", "")
length = int(length) if length.isascii() and length.isdigit() else 0
if length > LIMIT:
    # Read it all the same and forget it: a browser listens when it has sent everything.
    sys.stdin.buffer.read(length)
    print("Status: 413 Content Too Large")
    print("Content-Type: text/plain")
    print()
    print(f"At most {LIMIT} bytes, please.")
    sys.exit()
body = sys.stdin.buffer.read(length).decode("utf-8", "replace")
text = parse_qs(body).get("text", [""])[0]

print("Content-Type: text/html; charset=utf-8")
print()
print(f"""<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A POST form</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>A POST form</h1>
<form method="post" action="/cgi-bin/post.py">
  <label for="text">Some lines of text</label>
  <textarea id="text" name="text" rows="4">
{html.escape(text)}</textarea>
  <button>Send</button>
</form>
<p>REQUEST_METHOD is <code>{html.escape(os.environ.get("REQUEST_METHOD", ""))}</code>,
and standard input had {length} bytes:</p>
<pre>{html.escape(body) or "(nothing yet)"}</pre>
<p class="nav"><a href="/">Home</a> <a href="/source/post.py">The program</a></p>
</main>""")
