// Tasks in Go, as a program: the item is its standard input, its one argument says what is to be done, what it writes to
// standard output is the result, to standard error a message, and an exit code other than 0 a failure.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	item, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = run(os.Args[1:], item, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, item []byte, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("one argument is taken: square, word-count or reverse")
	}
	switch args[0] {
	case "square":
		x, err := strconv.ParseInt(strings.TrimSpace(string(item)), 10, 32)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(out, x*x)
		return err
	case "word-count":
		fmt.Fprintf(os.Stderr, "a text of %d bytes\n", len(item))
		return json.NewEncoder(out).Encode(wordCount(string(item)))
	case "reverse":
		slices.Reverse(item)
		_, err := out.Write(item)
		return err
	default:
		return fmt.Errorf("there is no task %q: square, word-count or reverse", args[0])
	}
}

// Each word and how often it is there, in the order in which they come first.
func wordCount(text string) [][2]any {
	counts := map[string]int{}
	words := []string{}
	blank := func(c rune) bool { return strings.ContainsRune(" \t\n\r", c) }
	for _, word := range strings.FieldsFunc(text, blank) {
		if counts[word] == 0 {
			words = append(words, word)
		}
		counts[word]++
	}
	pairs := make([][2]any, 0, len(words))
	for _, word := range words {
		pairs = append(pairs, [2]any{word, counts[word]})
	}
	return pairs
}
