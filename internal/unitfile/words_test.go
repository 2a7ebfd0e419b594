package unitfile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWords(t *testing.T) {
	tests := []struct {
		name, text, separators string
		mode                   Mode
		want                   []string
		fails                  bool
	}{
		{"none", "", Blanks, 0, nil, false},
		{"blanks only", " \t ", Blanks, 0, nil, false},
		{"several", "  a  b\tc ", Blanks, 0, []string{"a", "b", "c"}, false},
		{"quotes kept", `"a b"`, Blanks, 0, []string{`"a`, `b"`}, false},
		{"quotes", `"a b" 'c "d"'`, Blanks, Unquote, []string{"a b", `c "d"`}, false},
		{"an empty word in quotes", `a "" b`, Blanks, Unquote, []string{"a", "", "b"}, false},
		{"quotes within a word", `a"b c"d`, Blanks, Unquote, []string{"ab cd"}, false},
		{"an open quote", `a "b`, Blanks, Unquote, []string{"a"}, true},
		{"a plain backslash", `a\nb`, Blanks, 0, []string{"anb"}, false},
		{"a backslash before a blank", `a\ b`, Blanks, 0, []string{"a b"}, false},
		{"a backslash at the end", `a\`, Blanks, 0, nil, true},
		{"escapes", `a\nb\x41\101\u00e4\s`, Blanks, Unescape, []string{"a\nbAA\u00e4 "}, false},
		{"no escape", `\y`, Blanks, Unescape, nil, true},
		{"a NUL", `\x00`, Blanks, Unescape, nil, true},
		{"a surrogate", `\ud800`, Blanks, Unescape, nil, true},
		{"an octal beyond a byte", `\777`, Blanks, Unescape, nil, true},
		{"a sign in digits", `\x+1`, Blanks, Unescape, nil, true},
		{"escapes kept", `a\:b "c\"`, Blanks, Unquote | KeepEscapes, []string{`a\:b`, `c\`}, false},
		{"colons", `a::b:`, ":", EmptyWords, []string{"a", "", "b", ""}, false},
		{"nothing between colons", "", ":", EmptyWords, []string{""}, false},
		{"an escaped colon", `a\:b:c\\`, ":", EmptyWords | UnescapeSeparators, []string{"a:b", `c\`}, false},
		{"a backslash before neither", `a\b`, ":", EmptyWords | UnescapeSeparators, nil, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			var err error
			for r := Words(test.text, test.separators, test.mode); ; {
				word, ok, e := r.Next()
				if err = e; e != nil || !ok {
					break
				}
				got = append(got, word)
			}
			if (err != nil) != test.fails {
				t.Fatalf("error %v, want one: %v", err, test.fails)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRest(t *testing.T) {
	for _, test := range []struct {
		text, word, rest string
		more             bool
	}{
		{"a:b:c", "a", "b:c", true},
		{"a:", "a", "", true},
		{"a", "a", "", false},
	} {
		r := Words(test.text, ":", EmptyWords)
		word, _, err := r.Next()
		rest, more := r.Rest()
		if err != nil || word != test.word || rest != test.rest || more != test.more {
			t.Errorf("%q: got %q, %q, %v, %v", test.text, word, rest, more, err)
		}
	}
}

func TestUnescaped(t *testing.T) {
	got, err := Unescaped(`a\n\x00\tb`)
	if err != nil || string(got) != "a\n\x00\tb" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{`\`, `\y`, `a\x1`, `\U00110000`} {
		if got, err := Unescaped(bad); err == nil {
			t.Errorf("%q: got %q, want an error", bad, got)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`"a b" c\x41`, uint(Unquote|Unescape))
	f.Fuzz(func(t *testing.T, text string, mode uint) {
		r := Words(text, Blanks+":", Mode(mode))
		for n := 0; ; n++ {
			if _, ok, err := r.Next(); !ok || err != nil {
				return
			}
			if n > len(text) {
				t.Fatalf("%q has more words than bytes", text)
			}
		}
	})
}
