#!/usr/bin/env python3
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
import hashlib
import html
import os
import re
import sys

LIMIT = 1024 * 1024
sys.stdout.reconfigure(encoding="utf-8", errors="replace")


def uploaded(content_type, body):
    """The name and the bytes of the first file in a multipart body, or None."""
    boundary = re.match(r'multipart/form-data;.*boundary="?([^";]+)', content_type, re.I)
    if not boundary:
        return None
    mark = b"\r\n--" + boundary[1].encode("utf-8", "surrogateescape")
    for part in (b"\r\n" + body).split(mark)[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        name = re.search(rb'filename="([^"]*)"', head)
        if name and name[1]:
            return name[1].decode("utf-8", "replace"), data
    return None


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

file = uploaded(os.environ.get("CONTENT_TYPE", ""), sys.stdin.buffer.read(length))
if file:
    # The name is the visitor's claim: show it, escaped, but never open it.
    name, data = file
    result = f"""<table>
<tr><th scope=row>Name<td>{html.escape(name)}
<tr><th scope=row>Size<td>{len(data)} bytes
<tr><th scope=row>SHA-256<td><code>{hashlib.sha256(data).hexdigest()}</code>
</table>"""
else:
    result = "<p>Choose a file of up to 1 MiB. It is measured, and not kept.</p>"

print("Content-Type: text/html; charset=utf-8")
print()
print(f"""<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A file upload</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>A file upload</h1>
{result}
<form method="post" action="/cgi-bin/upload.py" enctype="multipart/form-data">
  <label for="file">File</label>
  <input id="file" type="file" name="file" required>
  <button>Send</button>
</form>
<p class="nav"><a href="/">Home</a> <a href="/source/upload.py">The program</a></p>
</main>""")
