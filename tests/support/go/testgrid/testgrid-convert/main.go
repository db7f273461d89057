// Command testgrid-convert changes between TestGrid's own formats and those a test can write and read.
//
//	testgrid-convert config FILE.yaml DEFAULTS.yaml   a configuration as TestGrid's programs read it; or of a folder
//	testgrid-convert configuration FILE               the same, protobuf, as JSON
//	testgrid-convert grid FILE                        a Grid, zlib and protobuf, as JSON
//	testgrid-convert summary FILE                     a DashboardSummary, protobuf, as JSON
package main

import (
	"compress/zlib"
	"fmt"
	"io"
	"os"

	"github.com/GoogleCloudPlatform/testgrid/config"
	"github.com/GoogleCloudPlatform/testgrid/config/yamlcfg"
	configpb "github.com/GoogleCloudPlatform/testgrid/pb/config"
	statepb "github.com/GoogleCloudPlatform/testgrid/pb/state"
	summarypb "github.com/GoogleCloudPlatform/testgrid/pb/summary"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: testgrid-convert config|configuration|grid|summary FILE [DEFAULTS]"))
	}
	made, err := convert(os.Args[1], os.Args[2], os.Args[len(os.Args)-1])
	if err != nil {
		fail(err)
	}
	if _, err := os.Stdout.Write(made); err != nil {
		fail(err)
	}
}

func convert(kind, path, defaults string) ([]byte, error) {
	if kind == "config" {
		read, err := yamlcfg.ReadConfig([]string{path}, defaults, true)
		if err != nil {
			return nil, err
		}
		return config.MarshalBytes(&read)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	switch kind {
	case "configuration":
		return asJSON(file, &configpb.Configuration{})
	case "grid":
		plain, err := zlib.NewReader(file)
		if err != nil {
			return nil, err
		}
		return asJSON(plain, &statepb.Grid{})
	case "summary":
		return asJSON(file, &summarypb.DashboardSummary{})
	}
	return nil, fmt.Errorf("unknown kind %q", kind)
}

func asJSON(from io.Reader, message proto.Message) ([]byte, error) {
	bytes, err := io.ReadAll(from)
	if err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(bytes, message); err != nil {
		return nil, err
	}
	// every field, also those of value zero: a test names what it expects
	return protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(message)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
