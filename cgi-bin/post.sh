#!/bin/sh
# A form with method POST: what was typed arrives on standard input.
LC_ALL=C # work on bytes
export LC_ALL
LIMIT=65536 # a program decides how much it takes

escape() {
    sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'
}

# field NAME: that field of the name=value&name=value on standard input, where + is
# a space and %41 is A.
field() {
    tr '&' '\n' | sed -n "s/^$1=//p" | awk '
        BEGIN { for (i = 1; i < 256; i++) byte[sprintf("%02X", i)] = sprintf("%c", i) }
        NR == 1 {
            gsub(/\+/, " ")
            while (match($0, /%[0-9A-Fa-f][0-9A-Fa-f]/)) {
                printf "%s%s", substr($0, 1, RSTART - 1), byte[toupper(substr($0, RSTART + 1, 2))]
                $0 = substr($0, RSTART + 3)
            }
            print
        }'
}

# A number that is too long for the shell to compute with is too large as well.
case $CONTENT_LENGTH in
    '' | *[!0-9]*) length=0 ;;
    ????????*) length=$((LIMIT + 1)) ;;
    *) length=$CONTENT_LENGTH ;;
esac
if [ "$length" -gt "$LIMIT" ]; then
    # Read it all the same and forget it: a browser listens when it has sent everything.
    head -c "$CONTENT_LENGTH" >/dev/null
    printf 'Status: 413 Content Too Large\nContent-Type: text/plain\n\n'
    echo "At most $LIMIT bytes, please."
    exit
fi
# Read CONTENT_LENGTH bytes and not one more: nothing promises an end after them.
body=$(head -c "$length")

shown=$(printf '%s' "$body" | escape)
text=$(printf '%s\n' "$body" | field text | escape)
method=$(printf '%s' "$REQUEST_METHOD" | escape)

echo "Content-Type: text/html; charset=utf-8"
echo
cat <<PAGE
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A POST form</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>A POST form</h1>
<form method="post" action="/cgi-bin/post.sh">
  <label for="text">Some lines of text</label>
  <textarea id="text" name="text" rows="4">
$text</textarea>
  <button>Send</button>
</form>
<p>REQUEST_METHOD is <code>$method</code>, and standard input had $length bytes:</p>
<pre>${shown:-(nothing yet)}</pre>
<p class="nav"><a href="/">Home</a> <a href="/source/post.sh">The program</a></p>
</main>
PAGE
