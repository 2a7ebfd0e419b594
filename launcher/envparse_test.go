package launcher

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseEnvironment(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", nil},
		{"plain", "A=b\nC=d\n", []string{"A=b", "C=d"}},
		{"no newline at the end", "A=b", []string{"A=b"}},
		{"carriage returns", "A=b\r\nC=d\r\n", []string{"A=b", "C=d"}},
		{"empty value", "A=\nB=\"\"\nC=''\nD= \t\nE=", []string{"A=", "B=", "C=", "D=", "E="}},
		{"blanks around", "  A =  b c  \n\tB\t=\tx\t\n", []string{"A=b c", "B=x"}},
		{"comments", "# A=1\n; B=2\n   # C=3\nD=4 # not one\nE=\"5\" # nor this\n", []string{"D=4 # not one", "E=5# nor this"}},
		{"comment with a backslash at the end", "# x\\\nA=1\n", []string{"A=1"}},
		{"comment with a backslash inside", "# x\\y\nA=1\n", []string{"A=1"}},
		{"lines that assign nothing", "words\nexport\nA=1\n\n\nlast", []string{"A=1"}},
		{"export is part of the key", "export A=1\n", []string{"export A=1"}},
		{"single quotes keep all", `A='b "c" \n $d # e'` + "\n", []string{`A=b "c" \n $d # e`}},
		{"double quotes", `A="b 'c' \"d\" \\ \$e \x \` + "`" + `"`, []string{"A=b 'c' \"d\" \\ $e \\x `"}},
		{"quotes over lines", "A='b\nc'\nB=\"d\ne\"\n", []string{"A=b\nc", "B=d\ne"}},
		{"joined lines in double quotes", "A=\"b\\\nc\"\n", []string{"A=bc"}},
		{"not joined in single quotes", "A='b\\\nc'\n", []string{"A=b\\\nc"}},
		{"joined lines without quotes", "A=b \\\n   c\n", []string{"A=b    c"}},
		{"joined with an empty line", "A=b \\\n\nB=c\n", []string{"A=b ", "B=c"}},
		{"joined at the beginning", "A=\\\n  b\n", []string{"A=  b"}},
		{"escaped without quotes", `A=\a\"\ b\\` + "\n", []string{`A=a" b\`}},
		{"escaped blank at the end", "A=b\\ \n", []string{"A=b "}},
		{"backslash at the very end", `A=b \`, []string{"A=b "}},
		{"pieces", `A="b" 'c'd e` + "\n", []string{"A=bcd e"}},
		{"quotes within a word", `A=b"c d"'e'` + "\n", []string{`A=b"c d"'e'`}},
		{"quote that stays open", "A='b\nC=d\n", []string{"A=b\nC=d\n"}},
		{"double quote that stays open", "A=\"b\\", []string{"A=b"}},
		{"equals signs", "A==b=c\n", []string{"A==b=c"}},
		{"no key", "=b\n='c\nA=1\n==d\n", []string{"A=1", "==d"}},
		{"UTF-8", "A=ä€\n", []string{"A=ä€"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseEnvironment(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseEnvironmentRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"a NUL byte":                "A=b\x00c\n",
		"a value that is not UTF-8": "A=\xff\n",
		"a key that is not UTF-8":   "\xffA=b\n",
	} {
		if got, err := parseEnvironment(text); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestValidVariable(t *testing.T) {
	for name, want := range map[string]bool{
		"A": true, "_": true, "a1_B": true, "": false, "1A": false, "A B": false, "export A": false, "A-B": false, "Ä": false,
	} {
		if got := validVariable(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}

func FuzzParseEnvironment(f *testing.F) {
	f.Add("A=b\\\n\"c\"'d' e\n#f\\\n;g\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseEnvironment(text)
		if err != nil {
			return
		}
		for _, e := range list {
			if !strings.Contains(e, "=") || len(e) > len(text)+1 {
				t.Errorf("%q of %q", e, text)
			}
		}
	})
}
