package sandbox

import (
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"berth/internal/unitfile"
)

// setLoadCredential takes ID[:SOURCE], where the source is an absolute path or
// the name of a credential. A later one of the same ID replaces.
func setLoadCredential(s *Settings, d *Setting, value string) error {
	if value == "" {
		s.dropCredentials("LoadCredential")
		return nil
	}
	id, source, err := credentialID(value)
	if err != nil {
		return err
	}
	if source != "" {
		if err := checkCredentialSource(source); err != nil {
			return err
		}
	}
	s.putCredential("LoadCredential", Credential{Setting: d.Name, ID: id, Source: source})
	return nil
}

func checkCredentialSource(source string) error {
	if !path.IsAbs(source) {
		return checkCredentialName(source)
	}
	if clean, err := unitfile.AbsolutePath(source); err != nil || clean != source {
		return fmt.Errorf("must have a source without \"..\" and needless slashes, not %q", source)
	}
	return nil
}

// setSetCredential takes ID:DATA, with C's escapes, or encrypted in base64.
func setSetCredential(s *Settings, d *Setting, value string) error {
	if value == "" {
		s.dropCredentials("SetCredential")
		return nil
	}
	id, text, err := credentialID(value)
	if err != nil {
		return err
	}
	if text == "" {
		return fmt.Errorf("must be ID:DATA, not %q", value)
	}
	var data []byte
	if d.Name == "SetCredentialEncrypted" {
		text = strings.Map(func(r rune) rune {
			if strings.ContainsRune(unitfile.Blanks, r) {
				return -1
			}
			return r
		}, text)
		data, err = base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			err = errors.New("must have its data in base64")
		}
	} else {
		data, err = unitfile.Unescaped(text)
	}
	if err != nil {
		return err
	}
	s.putCredential("SetCredential", Credential{Setting: d.Name, ID: id, Data: data})
	return nil
}

// setImportCredential takes PATTERN[:NAME]. A pattern is a name, or the beginning
// of names and a "*".
func setImportCredential(s *Settings, d *Setting, value string) error {
	if value == "" {
		s.dropCredentials("ImportCredential")
		return nil
	}
	r := unitfile.Words(value, ":", unitfile.EmptyWords)
	pattern, _, err := r.Next()
	if err != nil {
		return err
	}
	rename, _ := r.Rest()
	begin := strings.TrimSuffix(pattern, "*")
	if strings.ContainsAny(begin, "*?[]") {
		return fmt.Errorf("must be a name, or the beginning of one and a *, not %q", pattern)
	}
	if pattern != "*" {
		if err := checkCredentialName(begin); err != nil {
			return err
		}
	}
	if rename != "" {
		if err := checkCredentialName(rename); err != nil {
			return err
		}
	}
	c := Credential{Setting: d.Name, ID: pattern, Rename: rename}
	known := func(o Credential) bool { return o.Setting == c.Setting && o.ID == c.ID && o.Rename == c.Rename }
	if !slices.ContainsFunc(s.Credentials, known) {
		s.Credentials = append(slices.Clip(s.Credentials), c)
	}
	return nil
}

// credentialID splits ID:REST.
func credentialID(value string) (id, rest string, err error) {
	r := unitfile.Words(value, ":", unitfile.EmptyWords)
	if id, _, err = r.Next(); err != nil {
		return "", "", err
	}
	rest, _ = r.Rest()
	return id, rest, checkCredentialName(id)
}

// checkCredentialName refuses what isn't a file's name in ASCII, or has a colon.
func checkCredentialName(name string) error {
	odd := strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 0x7f || r == ':' || r == '/' })
	if odd || name == "" || name == "." || name == ".." || len(name) > 255 {
		return fmt.Errorf("must have the name of a credential, not %q", name)
	}
	return nil
}

// dropCredentials forgets those of a setting and its encrypted form.
func (s *Settings) dropCredentials(setting string) {
	s.Credentials = slices.DeleteFunc(slices.Clone(s.Credentials), func(c Credential) bool {
		return strings.TrimSuffix(c.Setting, "Encrypted") == setting
	})
}

// putCredential adds one in the place of another of the same setting and ID.
func (s *Settings) putCredential(setting string, c Credential) {
	list := slices.Clone(s.Credentials)
	i := slices.IndexFunc(list, func(o Credential) bool {
		return strings.TrimSuffix(o.Setting, "Encrypted") == setting && o.ID == c.ID
	})
	if i >= 0 {
		list[i] = c
	} else {
		list = append(list, c)
	}
	s.Credentials = list
}
