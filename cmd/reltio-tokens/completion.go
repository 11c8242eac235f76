package main

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// completionTime bounds the reading of names while a person waits for them.
const completionTime = 5 * time.Second

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help implements kong.HelpProvider.
func (*completionCommand) Help() string {
	return "Examples:\n  source <(reltio-tokens completion bash)\n  reltio-tokens completion fish > ~/.config/fish/completions/reltio-tokens.fish"
}

// alone implements lonely.
func (*completionCommand) alone() {}

// Run prints the script, which asks the command itself what may follow.
func (c *completionCommand) Run(s *screen) error {
	_, err := fmt.Fprint(&s.out, map[string]string{
		"bash": `_reltio_tokens() {
	local line=${COMP_LINE:0:COMP_POINT} words
	read -ra words <<<"$line"
	[[ $line == *' ' ]] && words+=('')
	mapfile -t COMPREPLY < <(reltio-tokens __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _reltio_tokens reltio-tokens
`,
		"zsh": `#compdef reltio-tokens
_reltio_tokens() {
	local -a found
	found=(${(f)"$(reltio-tokens __complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
	compadd -a found
}
compdef _reltio_tokens reltio-tokens
`,
		"fish": `complete -c reltio-tokens -f -a '(reltio-tokens __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
	}[c.Shell])
	return err
}

// completeCommand is what the scripts call.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words so far, the unfinished one last."`
}

// alone implements lonely.
func (*completeCommand) alone() {}

// Run prints the words that may take the place of the last one, one a line. Names
// that cannot be read are no reason to disturb who is typing.
func (c *completeCommand) Run(ctx context.Context, w *wiring, s *screen, k *kong.Kong) error {
	words := c.Words
	if len(words) == 0 {
		words = []string{""}
	}
	current, before := words[len(words)-1], words[:len(words)-1]
	command := commandOf(k.Model.Node, before)
	var found []string
	switch {
	case strings.HasPrefix(current, "-"):
		found = flagsOf(k.Model.Node, command)
	case command == nil:
		found = commandsOf(k.Model.Node)
	case command.Name == "completion":
		found = []string{"bash", "zsh", "fish"}
	case namesConnections(command):
		found = w.namesFor(ctx, before)
	}
	for _, word := range found {
		if !strings.HasPrefix(word, current) {
			continue
		}
		if _, err := fmt.Fprintln(&s.out, word); err != nil {
			return err
		}
	}
	return nil
}

// commandOf is the command among the words; nil if there is none yet.
func commandOf(app *kong.Node, words []string) *kong.Node {
	for _, word := range words {
		for _, node := range app.Children {
			if node.Name == word {
				return node
			}
		}
	}
	return nil
}

func commandsOf(app *kong.Node) []string {
	var names []string
	for _, node := range app.Children {
		if !node.Hidden {
			names = append(names, node.Name)
		}
	}
	return names
}

// flagsOf are the flags of the command, its own first.
func flagsOf(app, command *kong.Node) []string {
	var names []string
	for _, node := range []*kong.Node{command, app} {
		if node == nil {
			continue
		}
		for _, flag := range node.Flags {
			names = append(names, "--"+flag.Name)
		}
	}
	return names
}

// namesConnections reports whether the command takes the name of a connection that
// exists.
func namesConnections(command *kong.Node) bool {
	return command.Name != "add" && slices.ContainsFunc(command.Positional, func(p *kong.Positional) bool { return p.Name == "name" })
}

// namesFor are the names of connections in the installation that the words name.
func (w *wiring) namesFor(ctx context.Context, words []string) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	there, ok := locate(words)
	if !ok {
		return nil
	}
	other := &wiring{globals: there.globals, now: w.now}
	if other.discover(ctx, there.given) != nil {
		return nil
	}
	o, err := other.stores(ctx)
	if err != nil {
		return nil
	}
	names, err := o.Names(ctx)
	if err != nil {
		return nil
	}
	return names
}

// located is an installation as the flags among words, and the environment, name it.
type located struct {
	globals

	given []string
}

// locate reads the flags that every command takes from a command line that is not
// complete.
func locate(words []string) (l located, ok bool) {
	parser, err := kong.New(&l.globals)
	if err != nil {
		return l, false
	}
	var flags []string
	for i, word := range words {
		name, _, assigned := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		known := slices.IndexFunc(parser.Model.Flags, func(f *kong.Flag) bool { return f.Name == name && word != name })
		if known < 0 {
			continue
		}
		flags = append(flags, word)
		takes := parser.Model.Flags[known].Target.Type() != reflect.TypeFor[localURL]()
		if takes && !assigned && i+1 < len(words) {
			flags = append(flags, words[i+1])
		}
	}
	command, err := parser.Parse(flags)
	if err != nil {
		return l, false
	}
	l.given = given(command)
	l.afterParsing(l.given)
	return l, true
}
