#!/bin/sh
# A cookie: text that the browser keeps and sends along with each later request.

# HTTP_COOKIE looks like a=1; visits=2. The visitor can change it: take digits only,
# and no zeros in front, which would make the shell count in eights.
before=$(printf '%s\n' "$HTTP_COOKIE" | tr ';' '\n' |
    sed -n 's/^ *visits=0*\([0-9]*\)$/\1/p' | sed -n 1p)
case $before in
    '' | ???????*) before=0 ;;
esac
visits=$((before + 1))
[ "$before" -gt 0 ] || before=...

echo "Content-Type: text/html; charset=utf-8"
echo "Set-Cookie: visits=$visits; Path=/cgi-bin/; Max-Age=86400; HttpOnly; SameSite=Lax"
echo
cat <<PAGE
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A cookie</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>Visit number $visits</h1>
<p>The program forgot you as soon as it ended. Your browser reminded it, by the header
<code>Cookie: visits=$before</code>. <a href="/cgi-bin/cookie.sh">Come again</a>.</p>
<p class="nav"><a href="/">Home</a> <a href="/source/cookie.sh">The program</a></p>
</main>
PAGE
