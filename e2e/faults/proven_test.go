package faults_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// proof is a fault that a test of its own room makes better than a world could,
// because it sets the clock, reads every table or needs no process.
type proof struct {
	id, what, room, run string
	by                  []invariant // what the test asserts
}

func proofs() []proof {
	return []proof{
		{"M4-6", "every status, page and error of a source, by table", "forecaster/adapters/prom", "^(TestFaults|TestTroubleThatPasses|TestOneSecondTryPerRead)$", []invariant{expected, discreet}},
		{"M7", "answers truncated, of wrong types and nested, by corpus", "forecaster/adapters/prom", "^FuzzAnswer$", []invariant{number, expected}},
		{"M8", "answers too large, plain and packed, to the byte", "forecaster/adapters/prom", "^(TestHugeAnswers|TestTheLimitCountsEveryByte)$", []invariant{bounded}},
		{"M15", "a counter that was reset, and other metrics that look wrong", "forecaster/adapters/prom", "^(TestQueriesThatLookWrong|TestValuesThatLookWrong|TestRoundingBelowZeroIsZero)$", []invariant{expected}},
		{"M17", "more than 11,000 points", "forecaster/adapters/prom", "^(TestLongWindowsAreReadInParts|TestPartsOfDifferentSeries)$", []invariant{expected}},
		{"M19", "the source's name does not resolve, or moves", "forecaster/adapters/prom", "^TestNames$", []invariant{heals}},
		{"M20", "certificates expired, of another authority, rotated", "forecaster/adapters/prom", "^(TestTLS|TestPlainBehindHTTPS)$", []invariant{expected, discreet}},
		{"F4", "every rule of a snapshot broken, by table and corpus", "shared/forecast", "^(TestDecode.*|TestValidate.*|TestAnswers|FuzzDecode)$", []invariant{number, expected}},
		{"F7", "a model that panics, answers NaN or a thousand billion", "forecaster/engine", "^(TestBrokenModelTouchesNoOther|TestWithoutAForecastTheObservedLoadDecides|TestAnUnknownLoadIsNeverPlannedFor|TestFailedFitKeepsTheLast|TestRunawayForecastIsBounded|TestPanicsBetweenTheStages)$", []invariant{number, apart}},
		{"F8", "training takes longer than the interval", "forecaster/engine", "^(TestOverrunIsSkipped|TestStuckTickAges)$", []invariant{bounded}},
		{"F9b", "two forecasters with one source publish the same bytes", "forecaster/engine", "^TestTwoEnginesPublishTheSame$", []invariant{told}},
		{"F10b", "clients that dawdle, in every way, and floods of connections", "shared/lifecycle", "^(TestDawdlersAreCutOff|TestAFloodIsItsOwnersTrouble|TestAbuseHoldsNobodyUp|TestServerRefusesEndlessHeaders)$", []invariant{budget, bounded}},
		{"F11b", "hostile names, by table and corpus", "forecaster/api", "^(TestHostileNamesStayHarmless|FuzzRouter)$", []invariant{discreet, series}},
		{"F13", "every fault of the configuration, all at once, exit code 2", "forecaster", "^(TestLoadTellsEveryFault|TestDispatch|TestRunRefuses)$", []invariant{expected}},
		{"R3b", "a master that dies under a Sentinel, is read-only, and slots that move", "forecaster/storage/redis", "^(TestSentinelFailover|TestReadonlyMaster|TestCluster)$", []invariant{heals}},
		{"R4", "many write at once and in any order: the newest stands", "forecaster/storage/redis", "^(TestLinearizable|TestNewer|TestStore)$", []invariant{forward}},
		{"R6b", "values of others, of newer versions and of no kind, by table and corpus", "forecaster/storage/redis", "^(TestRejects|FuzzReadValue)$", []invariant{expected}},
		{"R7b", "a wrong password, certificate, user or address of Redis, and the right ones", "forecaster", "^(TestStoreTellsWhatIsWrong|TestStoreSettingsHaveTheirEffect|TestStoreFaults)$", []invariant{expected, discreet}},
		{"S1c", "a first question waits its budget, by a clock of its own", "scaler/cache", "^(TestFirstQuestion.*|TestHungSource.*|TestOneFetch.*|TestAfterALongSilence.*)$", []invariant{budget}},
		{"S7", "forecasts that expire together are not fetched together", "scaler/cache", "^(TestRefreshesSpread|TestIdleWorkloadsAreLeftAlone|TestUnknownNamesPushNothingOut)$", []invariant{bounded}},
		{"S9b", "abuse of the connection: every limit that a peer may meet", "scaler/keda", "^(TestAbuseOfTheConnection|TestLimitsAreAnnounced|TestHoardedStreamsAreRefused|FuzzRequests)$", []invariant{budget, apart}},
		{"S10", "certificates of KEDA: none, expired, rotated under use", "shared/tlsconfig", ".", []invariant{heals}},
		{"S10b", "both sides' certificates are rotated under load", "scaler", "^(TestRotationUnderLoad|TestRunOnlyAnswersTrustedPeers)$", []invariant{expected, heals}},
		{"S11", "tokens that are revoked, run out, or cannot be reviewed", "forecaster/access", "^(TestARevokedTokenIsRefusedWithinAMinute|TestWhileReviewsFail|TestATokenThatExpires|TestReviewsAreShared|TestBadTokensPushNobodyOut)$", []invariant{apart, heals}},
		{"S11b", "the scaler's own token is rotated, or refused", "scaler/client", "^(TestTokenIsReadAgainWhenRefused|TestNotLetIn)$", []invariant{heals, discreet}},
		{"S16", "the HPA allows fewer than the count", "scaler/keda", "^TestClampedIsShown$", []invariant{told, expected}},
		{"H1c", "a Lease whose holder dies, cannot read or is unknown", "forecaster/lease", ".", []invariant{heals, discreet}},
		{"H2b", "the number of shards changes, whoever learns of it first", "scaler/client", "^(TestShards|TestCountChanges|TestUnknownAsksTwo)$", []invariant{told}},
		{"T1", "clocks of forecaster and scaler that disagree", "scaler/client", "^(TestAge|TestFutureSnapshotsCountFromNow)$", []invariant{stale}},
		{"T2", "a clock that is set, either way", "shared/forecast", "^(TestAgeSurvivesSkewAndSetClocks|TestAgeByAClockThatIsSet|TestReplaces)$", []invariant{stale, forward}},
		{"T2b", "a forecaster's clock that is set, either way", "forecaster/engine", "^TestClock.*|^TestAClockSetBack$", []invariant{heals}},
		{"T4", "changes of the clock, leap days, months", "forecaster/calendar", ".", []invariant{expected}},
		{"T4b", "peaks follow the local clock", "forecaster/models/auto", "^TestPeaksFollowTheLocalClock$", []invariant{expected}},
		{"T5", "for any age the answer is the highest of the plan by time", "scaler/lead", ".", []invariant{told}},
	}
}

// Rows that a test of another room makes are run there, so that the report is
// of all.
func TestProven(t *testing.T) {
	t.Parallel()
	for _, p := range proofs() {
		t.Run(p.id, func(t *testing.T) {
			f := newFinding(p.id, p.what, "go test -run '"+p.run+"' ./"+p.room)
			results.add(f)
			command := patient("go", "test", "-v", "-count=1", "-run", p.run, "./"+p.room)
			command.Dir = filepath.Join("..", "..")
			out, err := command.CombinedOutput()
			passed, named := strings.Count(string(out), "\n--- PASS"), strings.Count(p.run, "|")+1
			f.Seconds = time.Since(f.began).Seconds()
			skipped := strings.Count(string(out), "\n--- SKIP")
			f.remark("%d tests passed", passed)
			if err != nil || passed < named || skipped > 0 {
				f.broke(expected, "%v, %d tests passed of %d that are named at least, %d were skipped", err, passed, named, skipped)
				t.Errorf("%s: %v, %d tests passed of %d that are named at least, %d were skipped\n%s", f.Made, err, passed, named, skipped, tail(string(out), 3000))
				return
			}
			f.ok(p.by...)
			f.Verdict = "proven"
		})
	}
}
