// Command prow-reader shows builds as prow does: its paths, and what its lenses make of a build in a bucket.
//
//	prow-reader paths < SPEC.json                    where prow puts a job of this spec (JOB_SPEC of its pods)
//	prow-reader junit|metadata TEMPLATES gs://BUILD  what a lens shows, through TEMPLATES/template.html
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"

	"sigs.k8s.io/prow/pkg/config"
	prowio "sigs.k8s.io/prow/pkg/io"
	"sigs.k8s.io/prow/pkg/pod-utils/downwardapi"
	"sigs.k8s.io/prow/pkg/pod-utils/gcs"
	"sigs.k8s.io/prow/pkg/spyglass/api"
	"sigs.k8s.io/prow/pkg/spyglass/lenses/junit"
	"sigs.k8s.io/prow/pkg/spyglass/lenses/metadata"
)

type lens interface {
	Body([]api.Artifact, string, string, json.RawMessage, config.Spyglass) string
}

// Which files each lens is given: the patterns of prow.k8s.io.
var lenses = map[string]struct {
	lens  lens
	files *regexp.Regexp
}{
	"junit":    {junit.Lens{}, regexp.MustCompile(`^artifacts(/.*/|/)junit.*\.xml$`)},
	"metadata": {metadata.Lens{}, regexp.MustCompile(`^(started|finished)\.json$|^podinfo\.json$|^prowjob\.json$`)},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "paths" {
		return paths(os.Stdin, os.Stdout)
	}
	if len(args) != 3 || lenses[args[0]].lens == nil {
		return fmt.Errorf("usage: prow-reader paths | junit|metadata TEMPLATES gs://BUILD")
	}
	artifacts, err := find(context.Background(), strings.TrimSuffix(args[2], "/")+"/", lenses[args[0]].files)
	if err != nil {
		return err
	}
	fmt.Print(lenses[args[0]].lens.Body(artifacts, args[1], "", nil, config.Spyglass{}))
	return nil
}

func paths(in io.Reader, out io.Writer) error {
	var spec downwardapi.JobSpec
	if err := json.NewDecoder(in).Decode(&spec); err != nil {
		return err
	}
	explicit := func(org, repo string) string { return org + "_" + repo }
	return json.NewEncoder(out).Encode(map[string]any{
		"build":  gcs.PathForSpec(&spec, explicit),
		"alias":  gcs.AliasForSpec(&spec),
		"root":   gcs.RootForSpec(&spec),
		"latest": gcs.LatestBuildForSpec(&spec, nil),
	})
}

func find(ctx context.Context, build string, wanted *regexp.Regexp) ([]api.Artifact, error) {
	opener, err := prowio.NewOpener(ctx, "", "")
	if err != nil {
		return nil, err
	}
	objects, err := opener.Iterator(ctx, build, "")
	if err != nil {
		return nil, err
	}
	var found []api.Artifact
	for {
		object, err := objects.Next(ctx)
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		_, root, _ := strings.Cut(strings.TrimPrefix(build, "gs://"), "/")
		name := strings.TrimPrefix(object.Name, root)
		if !wanted.MatchString(name) {
			continue
		}
		reader, err := opener.Reader(ctx, build+name)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(reader)
		reader.Close()
		if err != nil {
			return nil, err
		}
		found = append(found, artifact{name, body})
	}
}

// artifact is a file of a build that was read whole.
type artifact struct {
	name string
	body []byte
}

func (a artifact) JobPath() string                        { return a.name }
func (a artifact) CanonicalLink() string                  { return path.Base(a.name) }
func (a artifact) ReadAll() ([]byte, error)               { return a.body, nil }
func (a artifact) Size() (int64, error)                   { return int64(len(a.body)), nil }
func (a artifact) Metadata() (map[string]string, error)   { return nil, nil }
func (a artifact) UpdateMetadata(map[string]string) error { return fmt.Errorf("read only") }
func (a artifact) ReadAt([]byte, int64) (int, error)      { return 0, fmt.Errorf("read whole") }
func (a artifact) ReadAtMost(int64) ([]byte, error)       { return nil, fmt.Errorf("read whole") }
func (a artifact) ReadTail(int64) ([]byte, error)         { return nil, fmt.Errorf("read whole") }
