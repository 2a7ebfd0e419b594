package config

// Assign reads settings of [resources] from words of the command line, each
// KEY=VALUE as -p takes it: a later one for the same key takes the place of an
// earlier one. They are in the order in which their names sort, with the word as
// their position. The error is Errors.
func Assign(words []string) ([]Setting, error) {
	d := &document{
		values: make(map[string]any), positions: make(map[string]Position),
		numbers: make(map[string]string), given: make(map[string]bool),
	}
	for _, word := range words {
		d.assign(word, Position{File: printable(word)}, nil)
	}
	for key := range d.values {
		if key != "resources" {
			d.fail(key, "is no setting of [resources]: nothing else can be changed while a container runs")
		}
	}
	var list []Setting
	if table, given := d.values["resources"]; given {
		settings(&list, "MemoryMax")(node{doc: d, key: "resources", value: table})
	}
	return list, d.err()
}
