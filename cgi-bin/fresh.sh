#!/bin/sh
# Expires and Last-Modified: for how long a browser may keep the answer, and how it
# may ask whether there is a new one. Dates are in GMT and have exactly this form:
# Sun, 06 Nov 1994 08:49:37 GMT
LC_ALL=C # English names of days and months
export LC_ALL

now=$(date -u '+%a, %d %b %Y %H:%M:%S GMT')
midnight=$(date -u '+%a, %d %b %Y 00:00:00 GMT') # this page changes once a day
# A time zone whose clocks are one minute ahead of Greenwich tells what comes then.
soon=$(TZ=GMT-0:01 date '+%a, %d %b %Y %H:%M:%S GMT')

echo "Content-Type: text/html; charset=utf-8"
echo "Expires: $soon"
echo "Last-Modified: $midnight"
echo
cat <<PAGE
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Expires and Last-Modified</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Fresh for a minute</h1>
<p>Printed at <strong>$now</strong>.
<a href="/cgi-bin/fresh.sh">Follow this link</a> within a minute: the time stays, since
the browser does not ask. <em>Reload</em> asks.</p>
<p>Somebody who has today's page already is told so in a few bytes, 304 Not Modified:</p>
<pre>curl -i -z '$now' http://localhost:8080/cgi-bin/fresh.sh</pre>
<p class="nav"><a href="/">Home</a> <a href="/source/fresh.sh">The program</a></p>
</main>
PAGE
