// Command mindspace is the whole program: every role, and the tools around it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // zones are known on machines without a database of them

	"github.com/alecthomas/kong"

	"github.com/mindspace-app/mindspace/app"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run runs one command and gives its exit code: 0 for success, 1 for a failure, 2 for a command line that makes no sense.
func run(args []string, out, errs io.Writer) int {
	// The first signal asks to drain; the second, for which the default is back then, ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	exited := -1
	parser, err := kong.New(&commands{},
		kong.Name("mindspace"),
		kong.Description("The open backend of a wellness product: guided meditation and safe supplement guidance."),
		kong.UsageOnError(),
		kong.Writers(out, errs),
		kong.Exit(func(code int) { exited = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&output{out}, &input{os.Stdin}),
	)
	if err != nil {
		fmt.Fprintln(errs, "mindspace:", err)
		return 1
	}
	command, err := parser.Parse(args)
	if exited >= 0 { // --help was asked for
		return exited
	}
	if err != nil {
		fmt.Fprintf(errs, "mindspace: %v\nTry `mindspace --help`.\n", err)
		return 2
	}
	if err := command.Run(); err != nil {
		fmt.Fprintf(errs, "mindspace: %v\n", err)
		return 1
	}
	return 0
}

// output is where a command prints what it was asked for; the log goes elsewhere.
type output struct{ io.Writer }

func (o *output) line(format string, args ...any) { fmt.Fprintf(o, format+"\n", args...) }

// input is where a command reads what it asks for.
type input struct{ *os.File }

// commands is the command line.
type commands struct {
	Up      upCommand      `cmd:"" help:"Start everything on this machine: its own PostgreSQL and Redis, data, and all roles."`
	Serve   serveCommand   `cmd:"" help:"Run roles of this process against a configured PostgreSQL and Redis."`
	Worker  workerCommand  `cmd:"" help:"Run background jobs only; the same as serve --roles=worker."`
	Migrate migrateCommand `cmd:"" help:"Bring the database schema up to date, or show where it stands."`
	Seed    seedCommand    `cmd:"" help:"Load data."`
	Staff   staffCommand   `cmd:"" help:"Say who is staff."`
	Keys    keysCommand    `cmd:"" help:"Make, exchange and look at the keys that protect what is stored."`
	Doctor  doctorCommand  `cmd:"" help:"Say what is wrong with this machine or configuration, and how to mend it."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

type upCommand struct {
	app.UpOptions
}

func (c *upCommand) Run(ctx context.Context, out *output) error {
	return app.Up(ctx, c.UpOptions, out)
}

type serveCommand struct {
	app.Config
	Roles []string `default:"all" env:"ROLES" help:"Roles of this process: gateway, auth, user, meditation, worker, or all."`
}

func (c *serveCommand) Run(ctx context.Context) error {
	return app.Serve(ctx, c.Config, c.Roles)
}

type workerCommand struct {
	app.Config
}

func (c *workerCommand) Run(ctx context.Context) error {
	return app.Serve(ctx, c.Config, []string{string(app.RoleWorker)})
}

type migrateCommand struct {
	Up     migrateUpCommand     `cmd:"" help:"Apply what is missing. Many processes may do so at once."`
	Status migrateStatusCommand `cmd:"" help:"List the migrations and when each was applied."`
	Roles  migrateRolesCommand  `cmd:"" help:"Make the least-privilege database roles, one a service. Run it again after each migration."`
}

type migrateUpCommand struct{ app.DatabaseOptions }

func (c *migrateUpCommand) Run(ctx context.Context) error {
	url, err := c.URL()
	if err != nil {
		return err
	}
	return app.Migrate(ctx, url)
}

type migrateStatusCommand struct{ app.DatabaseOptions }

func (c *migrateStatusCommand) Run(ctx context.Context, out *output) error {
	url, err := c.URL()
	if err != nil {
		return err
	}
	return app.MigrationStatus(ctx, url, out)
}

type migrateRolesCommand struct{ app.DatabaseOptions }

func (c *migrateRolesCommand) Run(ctx context.Context, out *output) error {
	url, err := c.URL()
	if err != nil {
		return err
	}
	return app.DatabaseRoles(ctx, url, out)
}

type seedCommand struct {
	Reference seedReferenceCommand `cmd:"" help:"The vocabularies that content is written with."`
	Demo      seedDemoCommand      `cmd:"" help:"The reference data, and a catalogue of courses and meditations with sound."`
	Scale     seedScaleCommand     `cmd:"" help:"The demo, and as many made-up persons with their practice as one wants to measure with."`
}

type seedReferenceCommand struct{ app.Config }

func (c *seedReferenceCommand) Run(ctx context.Context, out *output) error {
	return app.Seed(ctx, c.Config, app.SeedReference, out)
}

type seedDemoCommand struct{ app.Config }

func (c *seedDemoCommand) Run(ctx context.Context, out *output) error {
	return app.Seed(ctx, c.Config, app.SeedDemo, out)
}

type seedScaleCommand struct {
	app.Config
	app.ScaleOptions
}

func (c *seedScaleCommand) Run(ctx context.Context, out *output) error {
	return app.SeedScale(ctx, c.Config, c.ScaleOptions, out)
}

type staffCommand struct {
	Create staffCreateCommand `cmd:"" help:"Give an account staff roles, and make it if there is none: the way to the first administrator."`
}

type staffCreateCommand struct {
	app.Config
	Email string   `arg:"" help:"E-mail address of the account."`
	Role  []string `required:"" help:"Roles: admin, editor, nutritionist, support, analyst."`
	Name  string   `help:"Name of a new account."`
}

func (c *staffCreateCommand) Run(ctx context.Context, in *input, out *output) error {
	return app.CreateStaff(ctx, c.Config, app.NewStaff{Email: c.Email, Name: c.Name, Roles: c.Role}, in.File, out)
}

type keysCommand struct {
	Create keysCreateCommand `cmd:"" help:"Write a new keyring to a file that does not exist yet."`
	Rotate keysRotateCommand `cmd:"" help:"Make a new key and encrypt everything stored under it, while the program runs."`
	List   keysListCommand   `cmd:"" help:"Say which keys there are and how much is stored under each."`
	Prune  keysPruneCommand  `cmd:"" help:"Remove keys under which nothing is stored any more."`
	Reseal keysResealCommand `cmd:"" help:"Queue the job again that encrypts what is stored under the primary key."`
}

type keysCreateCommand struct {
	File string `arg:"" help:"The file to write, mode 0600."`
}

func (c *keysCreateCommand) Run(out *output) error {
	if err := app.CreateKeys(c.File); err != nil {
		return err
	}
	out.line("wrote %s: keep it safe and backed up, what it encrypts cannot be read without it", c.File)
	return nil
}

type keysRotateCommand struct {
	app.KeysOptions
	ActivateIn     time.Duration `default:"1m" help:"How long the new key is only read first: give more where the file has to be copied to other machines."`
	DespiteMissing bool          `help:"Go on although values are stored under keys that the file lacks."`
}

func (c *keysRotateCommand) Run(ctx context.Context, out *output) error {
	return app.RotateKeys(ctx, c.KeysOptions, app.RotateOptions{ActivateIn: c.ActivateIn, DespiteMissing: c.DespiteMissing}, out)
}

type keysListCommand struct{ app.KeysOptions }

func (c *keysListCommand) Run(ctx context.Context, out *output) error {
	return app.ListKeys(ctx, c.KeysOptions, out)
}

type keysPruneCommand struct{ app.KeysOptions }

func (c *keysPruneCommand) Run(ctx context.Context, out *output) error {
	return app.PruneKeys(ctx, c.KeysOptions, out)
}

type keysResealCommand struct{ app.KeysOptions }

func (c *keysResealCommand) Run(ctx context.Context, out *output) error {
	return app.ResealKeys(ctx, c.KeysOptions, out)
}

type doctorCommand struct {
	All       doctorAllCommand       `cmd:"" default:"withargs" help:"Look at everything; what doctor does when nothing else is said."`
	Audit     doctorAuditCommand     `cmd:"" help:"Verify the chain of the audit records, and name the first one that is tampered with or missing."`
	Retention doctorRetentionCommand `cmd:"" help:"List what is kept for how long and why, and what is overdue."`
	DataMap   doctorDataMapCommand   `cmd:"" help:"List every table about persons, and what becomes of it in an export and an erasure, as Markdown."`
}

type doctorAllCommand struct {
	app.Config
	Data string `default:".mindspace" env:"MINDSPACE_DATA" help:"Data folder of mindspace up." type:"path"`
}

func (c *doctorAllCommand) Run(ctx context.Context, out *output) error {
	return app.Doctor(ctx, c.Config, c.Data, out)
}

type doctorAuditCommand struct{ app.DatabaseOptions }

func (c *doctorAuditCommand) Run(ctx context.Context, out *output) error {
	url, err := c.URL()
	if err != nil {
		return err
	}
	return app.DoctorAudit(ctx, url, out)
}

type doctorRetentionCommand struct{ app.Config }

func (c *doctorRetentionCommand) Run(ctx context.Context, out *output) error {
	return app.DoctorRetention(ctx, c.Config, out)
}

type doctorDataMapCommand struct{ app.Config }

func (c *doctorDataMapCommand) Run(ctx context.Context, out *output) error {
	return app.DataMap(ctx, c.Config, out)
}

type versionCommand struct{}

func (c *versionCommand) Run(out *output) error {
	_, err := fmt.Fprintln(out, app.Version())
	return err
}
