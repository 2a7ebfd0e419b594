package main

import (
	"cmp"
	"strconv"

	"berth/idpool"

	"github.com/spf13/cobra"
)

func poolCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "pool [OPTION…]",
		Short: "list the blocks of user and group IDs in use",
		Long: `Lists the blocks of user and group IDs that containers have: berth's, and those
of systemd-nspawn and systemd-nsresourced. A block belongs to its container alone
and is free again when that ends.`,
		GroupID:           groupHost,
		Args:              none,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			held, err := idpool.Default().List()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), poolEntries(held))
			}
			return poolTable(held).print(cmd.OutOrStdout())
		},
	}
	registerJSON(cmd, &asJSON)
	return cmd
}

// poolEntry is a block in use, as JSON.
type poolEntry struct {
	Base    uint32 `json:"base"`
	Size    uint32 `json:"size"`
	Program string `json:"program"` // "" when unknown
	Owner   string `json:"owner"`   // the container, where known
	Locked  bool   `json:"locked"`  // false: registered without a lock
}

func poolEntries(held []idpool.Held) []poolEntry {
	entries := make([]poolEntry, len(held))
	for i, h := range held {
		entries[i] = poolEntry{h.Block.Base, h.Block.Size, h.Program, h.Owner, h.Locked}
	}
	return entries
}

func poolTable(held []idpool.Held) *table {
	t := &table{head: []string{"FIRST", "LAST", "SIZE", "PROGRAM", "CONTAINER"}}
	for _, h := range held {
		owner := h.Owner
		if owner == h.Program {
			owner = "" // nspawn doesn't say
		}
		t.add(
			strconv.FormatUint(uint64(h.Block.Base), 10),
			strconv.FormatUint(uint64(h.Block.Base)+uint64(h.Block.Size)-1, 10),
			strconv.FormatUint(uint64(h.Block.Size), 10),
			cmp.Or(h.Program, "-"), cmp.Or(owner, "-"),
		)
	}
	return t
}
