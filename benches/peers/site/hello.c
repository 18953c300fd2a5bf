/* The smallest CGI program in C. */
#include <stdio.h>

int main(void)
{
    puts("Content-Type: text/plain\n\nhello");
    return 0;
}
