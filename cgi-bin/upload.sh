#!/bin/sh
# A file upload. The form's enctype makes the browser send multipart/form-data:
#
#     --BOUNDARY                                                    (CR LF)
#     Content-Disposition: form-data; name="file"; filename="a.png" (CR LF)
#     Content-Type: image/png                                       (CR LF)
#                                                                   (CR LF)
#     the bytes of the file                                         (CR LF)
#     --BOUNDARY--                                                  (CR LF)
#
# A shell cannot hold any bytes in a variable, so this program does not try: it reads
# the lines before the file, and passes the file on to a program that measures it. It
# understands a form with this one field only.
LC_ALL=C # count bytes, not letters
export LC_ALL
LIMIT=1048576

escape() {
    sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'
}

case $CONTENT_LENGTH in
    '' | *[!0-9]*) left=0 ;;
    ????????*) left=$((LIMIT + 1)) ;;
    *) left=$CONTENT_LENGTH ;;
esac
if [ "$left" -gt "$LIMIT" ]; then
    # Read it all the same and forget it: a browser listens when it has sent everything.
    head -c "$CONTENT_LENGTH" >/dev/null
    printf 'Status: 413 Content Too Large\nContent-Type: text/plain\n\n'
    echo "At most $LIMIT bytes, please."
    exit
fi

cr=$(printf '\r')
boundary= name=
if [ "$left" -gt 0 ]; then
    IFS= read -r boundary
    left=$((left - ${#boundary} - 1))
    boundary=${boundary%"$cr"}
    while IFS= read -r line; do
        left=$((left - ${#line} - 1))
        case $line in
            "$cr" | '') break ;;
            *filename=\"*) name=${line#*filename=\"} name=${name%%\"*} ;;
        esac
    done
fi
# What is left is the file, CR LF, the boundary again, two minus signs, CR LF.
size=$((left - ${#boundary} - 6))

if [ -n "$name" ] && [ "$size" -ge 0 ]; then
    sum=$(head -c "$size" | cksum) # prints a check sum, and how many bytes it saw
    result="<table>
<tr><th scope=row>Name<td>$(printf '%s' "$name" | escape)
<tr><th scope=row>Size<td>${sum#* } bytes
<tr><th scope=row>cksum<td><code>${sum% *}</code>
</table>"
else
    result="<p>Choose a file of up to 1 MiB. It is measured, and not kept.</p>"
fi

echo "Content-Type: text/html; charset=utf-8"
echo
cat <<PAGE
<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>A file upload</title>
<link rel="stylesheet" href="/style.css">
<main>
<h1>A file upload</h1>
$result
<form method="post" action="/cgi-bin/upload.sh" enctype="multipart/form-data">
  <label for="file">File</label>
  <input id="file" type="file" name="file" required>
  <button>Send</button>
</form>
<p class="nav"><a href="/">Home</a> <a href="/source/upload.sh">The program</a></p>
</main>
PAGE
