/* Text, as far as the probe needs it. */
#include "probe.h"

/* The compiler calls these by itself. */
void *memset(void *to, int c, size_t n)
{
	char *p = to;
	while (n--)
		*p++ = c;
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	char *p = to;
	const char *q = from;
	while (n--)
		*p++ = *q++;
	return to;
}

size_t length(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}

int begins(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return 0;
	return 1;
}

int equal(const char *a, const char *b)
{
	return begins(a, b) && length(a) == length(b);
}

const char *find(const char *s, const char *what)
{
	for (; *s; s++)
		if (begins(s, what))
			return s;
	return NULL;
}

char *append(char *to, const char *s)
{
	while (*s)
		*to++ = *s++;
	*to = 0;
	return to;
}

char *append_number(char *to, long n)
{
	char digits[24], *p = digits + sizeof(digits);
	unsigned long rest = n < 0 ? -(unsigned long)n : (unsigned long)n;
	*--p = 0;
	do
		*--p = '0' + rest % 10;
	while (rest /= 10);
	if (n < 0)
		*--p = '-';
	return append(to, p);
}

char *append_hex(char *to, unsigned long n)
{
	char digits[24], *p = digits + sizeof(digits);
	*--p = 0;
	do
		*--p = "0123456789abcdef"[n % 16];
	while (n /= 16);
	return append(append(to, "0x"), p);
}

const char *join(const char *a, const char *b)
{
	static char arena[1 << 19];
	static size_t used;
	size_t need = length(a) + length(b) + 1;
	char *start = arena + used;
	if (used + need > sizeof(arena))
		return a;
	append(append(start, a), b);
	used += need;
	return start;
}
