package worker_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// parity says which tests prove a row of the list of what the seed's system does. A row goes by a text that it begins
// with; a test by its name, or a script by its path from the root.
var parity = []struct {
	row   string
	tests []string
}{
	{row: "`carrier_modules` holds", tests: []string{"TestLoadReadsKazoosExampleAsItStands", "TestCarrierDisabled", "TestDocumentWithoutKazoosList", "TestKazooCarrierDisabled"}},
	{row: "`port_in_module_name`", tests: []string{"TestLoadReadsKazoosExampleAsItStands", "TestPortInModuleName", "TestPortInModuleNameReachesTheWorker", "TestPortIn", "TestPortInException"}},
	{row: "`account_id`, `site_id`, `sip_peer`", tests: []string{"TestCheckReturnsEveryProblemAtOnce", "TestCheckAccountWantsOnlyWhatACallNeeds", "TestNewRefuses"}},
	{row: "`api_username`, `api_password`", tests: []string{"TestWarnings", "TestTokens", "TestTokenRenewal", "TestWrongCredentials", "TestNew"}},
	{row: "`debug` → `/tmp/bandwidth.log`", tests: []string{"TestDebugLogFile", "TestDebugLogHoldsNoSecret", "TestDebugLogDoesNotInterleave"}},
	{row: "`enable_provisioning` false", tests: []string{"TestSwitches", "TestSwitchesOfEveryKind", "TestSearchWhateverTheSwitches"}},
	{row: "`sandbox_provisioning` true", tests: []string{"TestSwitchesOfEveryKind", "TestSandboxByCriteria", "TestSandboxRegistersNothing", "TestP31_SandboxLeavesRealOrders"}},
	{row: "`order_name_prefix`", tests: []string{"TestEventIsACloudEvent", "TestReplay", "TestKazooOrdering"}},
	{row: "`max_search_quantity`", tests: []string{"TestMaxSearchQuantityReachesTheWorker", "TestSearchRefusedBeforeAnyCall", "TestSearchQuantity"}},
	{row: "`sup knm_bandwidth2 sites`", tests: []string{"cmd/worker/testdata/script/sites.txtar", "TestSitesAndPeers", "TestSitesAndPeersEndpoints"}},
	{row: "`sup knm_bandwidth2 peers", tests: []string{"cmd/worker/testdata/script/peers.txtar", "TestSitesAndPeers", "TestSitesAndPeersEndpoints"}},
	{row: "Searching there:", tests: []string{"TestPrefixPlan", "TestPlanOfOtherCriteria", "TestSearchReachesTheWire", "TestSearchLocalCallingAreaOff", "TestSearchFailuresAreNotEmptyLists"}},
	{row: "Ordering there:", tests: []string{
		"TestKazooOrdering", "TestStatusesOverTime", "TestOneFaultOnePurchase", "TestReplay", "TestBackorder", "TestForeignOrder", "TestBackorderRefused",
		"TestNumbersAreRegistered", "TestDisconnect", "TestDisconnectFails",
	}},
	{row: "Numbers in Kazoo have states", tests: []string{"TestNumbersAreRegistered", "TestDisconnect", "TestP34_DisconnectLeavesNewerOrdersAlone"}},
}

// parityRows returns the rows of the list: those of its table, and its paragraphs below it.
func parityRows(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("../../shared/kazoo-parity.md")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the list of what the seed's system does is missing: %v", err)
		}
		t.Skipf("without the list of what the seed's system does there is nothing to compare: %v", err)
	}
	var rows []string
	below := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		cell, table := strings.CutPrefix(line, "| ")
		switch {
		case strings.HasPrefix(line, "|---"):
			below, rows = true, nil // what stood above is the table's head
		case table, below && line != "" && !strings.HasPrefix(line, "|"):
			rows = append(rows, cell)
		}
	}
	return rows
}

// TestKazooParity: each row has tests that prove it, and they exist.
func TestKazooParity(t *testing.T) {
	rows := parityRows(t)
	if len(rows) < 14 {
		t.Errorf("only %d rows were found: the list has another form now", len(rows))
	}
	tests := map[string]bool{}
	for _, s := range repository(t).files {
		if !s.test() {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				tests[f.Name.Name] = true
			}
		}
	}
	used := map[string]bool{}
	for _, row := range rows {
		proved := false
		for _, p := range parity {
			if !strings.HasPrefix(row, p.row) {
				continue
			}
			used[p.row] = true
			proved = len(p.tests) > 0
			for _, name := range p.tests {
				_, err := os.Stat(filepath.Join("..", filepath.FromSlash(name)))
				if script := strings.HasSuffix(name, ".txtar"); script && err != nil || !script && !tests[name] {
					t.Errorf("%s: the test %s does not exist", p.row, name)
				}
			}
		}
		if !proved {
			t.Errorf("no test proves the row %.80s", row)
		}
	}
	for _, p := range parity {
		if !used[p.row] {
			t.Errorf("no row begins with %s", p.row)
		}
	}
}
