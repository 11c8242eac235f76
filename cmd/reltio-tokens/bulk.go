package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
	"github.com/reltio-tokens/reltio-tokens/internal/connection"
	"github.com/reltio-tokens/reltio-tokens/internal/operator"
)

// maxImport bounds a file that is imported, in bytes.
const maxImport = 64 << 20

type importCommand struct {
	File   string `arg:"" help:"A CSV file with a heading, or a JSON array of objects; - for JSON from standard input. Each has the field connection, and those of its secret."`
	DryRun bool   `help:"Write nothing, print the plan."`
	JSON   bool   `name:"json" help:"Print JSON."`

	tags `embed:""`
}

// Help implements kong.HelpProvider.
func (*importCommand) Help() string {
	return "Examples:\n  reltio-tokens --stack reltio-tokens import connections.csv --dry-run\n  reltio-tokens --stack reltio-tokens export > connections.json"
}

// talks implements talking: each row has the time of a command.
func (*importCommand) talks() {}

// Run imports the rows one after the other. A row that is refused hinders no other.
func (c *importCommand) Run(ctx context.Context, w *wiring, s *screen, a *asker) error {
	if err := w.tagged(c.Tag); err != nil {
		return err
	}
	rows, err := c.read(ctx, a)
	if err != nil {
		return &usageError{c.File + ": " + err.Error()}
	}
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	var plan []operator.Planned
	seen := map[string]bool{}
	for _, row := range rows {
		var p operator.Planned
		if seen[row.name] {
			p = refusedRow(row.name, "connection: is in the file twice")
		} else if p, err = c.row(ctx, w, o, row); err != nil {
			p = refusedRow(row.name, apierr.Of(err).Error())
		}
		seen[row.name] = true
		plan = append(plan, p)
		if ctx.Err() != nil {
			return errInterrupted
		}
	}
	if c.JSON {
		err = s.json(append([]operator.Planned{}, plan...))
	} else {
		s.planned(plan, c.DryRun)
	}
	return errors.Join(err, partly(plan))
}

func refusedRow(name, problem string) operator.Planned {
	return operator.Planned{Connection: name, Change: operator.PlanRefuse, Fields: []string{}, Problems: []string{problem}}
}

func (c *importCommand) row(ctx context.Context, w *wiring, o service, row importRow) (operator.Planned, error) {
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	text, err := encoded(row.fields)
	if err != nil {
		return operator.Planned{}, err
	}
	return o.Import(ctx, operator.ImportRequest{Connection: row.name, Secret: text, DryRun: c.DryRun})
}

// partly is the error of an import of which something was refused: all, or a part.
func partly(plan []operator.Planned) error {
	refused := len(plan)
	for _, p := range plan {
		if p.Change != operator.PlanRefuse {
			refused--
		}
	}
	switch {
	case refused == 0:
		return nil
	case refused == len(plan):
		return errSaid
	}
	return errPartly
}

// importRow is one connection of a file.
type importRow struct {
	name   string
	fields map[string]any
}

// read reads the file. Its errors hold no text of it.
func (c *importCommand) read(ctx context.Context, a *asker) ([]importRow, error) {
	if c.File == "-" {
		text, err := a.wait(ctx, func() (string, error) { return readUpTo(a.in, maxImport) })
		if err != nil {
			return nil, err
		}
		return jsonRows(text)
	}
	file, err := os.Open(c.File)
	if err != nil {
		return nil, errors.New("cannot be opened")
	}
	defer func() { _ = file.Close() }()
	text, err := readUpTo(file, maxImport)
	switch {
	case err != nil:
		return nil, err
	case strings.EqualFold(filepath.Ext(c.File), ".csv"):
		return csvRows(text)
	}
	return jsonRows(text)
}

func readUpTo(r io.Reader, most int64) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return "", errors.New("cannot be read")
	case int64(len(text)) > most:
		return "", errors.New("is too large")
	}
	return strings.TrimPrefix(string(text), "\ufeff"), nil
}

func jsonRows(text string) ([]importRow, error) {
	var objects []map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if d.Decode(&objects) != nil {
		return nil, errors.New("must be a JSON array of objects")
	}
	rows := make([]importRow, len(objects))
	for i, fields := range objects {
		name, _ := fields["connection"].(string)
		delete(fields, "connection")
		rows[i] = importRow{name, fields}
	}
	return rows, nil
}

// csvRows reads a table. An empty cell is a field that is not there.
func csvRows(text string) ([]importRow, error) {
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		var where *csv.ParseError
		if errors.As(err, &where) {
			return nil, fmt.Errorf("line %d: %w", where.Line, where.Err)
		}
		return nil, errors.New("is no CSV")
	}
	if len(lines) == 0 || !slices.Contains(lines[0], "connection") {
		return nil, errors.New("its heading must have the column connection")
	}
	var rows []importRow
	for _, cells := range lines[1:] {
		row := importRow{fields: map[string]any{}}
		for i, cell := range cells {
			switch column := lines[0][i]; {
			case cell == "":
			case column == "connection":
				row.name = cell
			default:
				row.fields[column] = cellValue(column, cell)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// cellValue is a cell as the field of a secret has it. What is no number or boolean
// stays a text, which the parser refuses by the field's name.
func cellValue(column, cell string) any {
	i := slices.IndexFunc(connection.Fields(), func(f connection.Field) bool { return f.Name == column })
	if i < 0 {
		return cell
	}
	switch connection.Fields()[i].Kind {
	case connection.Flag:
		if value, err := strconv.ParseBool(cell); err == nil {
			return value
		}
	case connection.Number:
		if _, err := strconv.ParseFloat(cell, 64); err == nil && json.Valid([]byte(cell)) {
			return json.Number(cell)
		}
	case connection.Texts:
		return strings.FieldsFunc(cell, func(c rune) bool { return c == ' ' || c == ';' || c == ',' })
	case connection.Text, connection.Object:
	}
	return cell
}

// planned prints what an import does, one line for each connection.
func (s *screen) planned(plan []operator.Planned, dry bool) {
	width := 0
	counts := map[operator.Planning]int{}
	for _, p := range plan {
		width = max(width, len(p.Connection))
		counts[p.Change]++
	}
	for _, p := range plan {
		what := strings.Join(p.Fields, ", ")
		switch {
		case p.Change == operator.PlanRefuse:
			what = strings.Join(p.Problems, "; ")
		case len(p.Problems) > 0:
			what += " (problem: " + strings.Join(p.Problems, "; ") + ")"
		}
		fmt.Fprintln(&s.out, strings.TrimRight(fmt.Sprintf("%s %-*s  %s", p.Change, width, p.Connection, what), " "))
	}
	end := ""
	if dry {
		end = "; nothing was written"
	}
	fmt.Fprintf(&s.out, "%d connections: %d new (+), %d changed (~), %d as they were (=), %d refused (!)%s\n", len(plan),
		counts[operator.PlanAdd], counts[operator.PlanChange], counts[operator.PlanNothing], counts[operator.PlanRefuse], end)
}

type exportCommand struct {
	CSV bool `name:"csv" help:"Print CSV instead of JSON."`
}

// Help implements kong.HelpProvider.
func (*exportCommand) Help() string {
	return "Example:\n  reltio-tokens --stack reltio-tokens export > connections.json"
}

// Run prints all connections without what is secret in them.
func (c *exportCommand) Run(ctx context.Context, w *wiring, s *screen) error {
	o, err := w.stores(ctx)
	if err != nil {
		return err
	}
	s.again.machine = true
	all, err := o.Export(ctx)
	if err != nil {
		return err
	}
	objects, problems := []map[string]any{}, 0
	for _, e := range all {
		if e.Problem != "" {
			fmt.Fprintf(&s.err, "%s: not exported: %s\n", e.Connection, e.Problem)
			problems++
			continue
		}
		e.Fields["connection"] = e.Connection
		objects = append(objects, e.Fields)
	}
	if c.CSV {
		err = s.csv(objects)
	} else {
		err = s.json(objects)
	}
	switch {
	case err != nil:
		return err
	case problems > 0 && len(objects) > 0:
		return errPartly
	case problems > 0:
		return errSaid
	}
	return nil
}

// csv prints a table with all columns that are used.
func (s *screen) csv(objects []map[string]any) error {
	columns := []string{"connection", "grant_type", "client_id"}
	for _, o := range objects {
		for name := range o {
			if !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
	}
	slices.Sort(columns[3:])
	var text bytes.Buffer
	table := csv.NewWriter(&text)
	err := table.Write(columns)
	for _, o := range objects {
		cells := make([]string, len(columns))
		for i, column := range columns {
			switch value := o[column].(type) {
			case nil:
			case []any:
				cells[i] = strings.Trim(fmt.Sprint(value), "[]")
			default:
				cells[i] = fmt.Sprint(value)
			}
		}
		err = errors.Join(err, table.Write(cells))
	}
	table.Flush()
	s.out.Write(text.Bytes())
	return errors.Join(err, table.Error())
}
