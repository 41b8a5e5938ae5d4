namespace Kvorum.Simulator.Tests;

/// <summary>Plans survive the way through text, and a wrong line is named.</summary>
public class ScenarioTextTests
{
    [Fact]
    public void A_drawn_plan_survives_the_way_through_text()
    {
        for (var seed = 1UL; seed <= 50; seed++)
        {
            var plan = Simulation.Plan(seed);
            var scenario = new Scenario("a title", [2, 13], ["first line", "second line"], plan);

            var text = ScenarioText.Format(scenario);
            var again = ScenarioText.Parse(text);

            Assert.Equal(text, ScenarioText.Format(again));
            Assert.Equal(plan.Settings with { Faults = [] }, again.Plan.Settings);
            Assert.Equal(plan.Faults.Count, again.Plan.Faults.Count);
            Assert.Equal(plan.Operations.Count, again.Plan.Operations.Count);
        }
    }

    [Fact]
    public void A_story_of_several_lines_stays_a_comment()
    {
        string[] story = ["a node stopped:\n   at a place\n   at another"];
        var scenario = new Scenario("a title", [], story, Simulation.Plan(1));

        var again = ScenarioText.Parse(ScenarioText.Format(scenario));

        Assert.Equal(["a node stopped:", "at a place", "at another"], again.Story);
    }

    [Fact]
    public void Every_setting_has_its_name_in_scenario_files()
    {
        var named = SettingsTable.All.Count;
        var properties = typeof(SimSettings).GetProperties()
            .Count(property => property.Name is not nameof(SimSettings.Faults));

        Assert.Equal(properties, named);
    }

    [Fact]
    public void Any_value_tells_an_unstamped_write_from_others()
    {
        const string Text = """
            operation 1 client 1 at 1: write k1 hello
            operation 2 client 2 at 2: append k2 .; write k3 "
            operation 3 client 1 at 3: read k1; read k2
            """;

        Assert.Null(Simulation.Run(ScenarioText.Parse(Text).Plan).Violation);
    }

    [Fact]
    public void The_shortest_time_of_faults_leaves_a_cluster_that_answers()
    {
        var text = $"""
            seed 42
            set safety-phase-us {SettingsTable.SafetyPhase.Min}
            operation 1 client 1 at 0.4: write k1 hello
            """;

        Assert.Null(Simulation.Run(ScenarioText.Parse(text).Plan).Violation);
    }

    [Fact]
    public void An_ordinary_build_says_that_it_has_no_seeded_bugs()
    {
        Assert.SkipWhen(MutantCatalog.IsBuiltIn, "This build has the seeded bugs.");
        var error = Assert.Throws<FormatException>(() => ScenarioText.Parse("set mutant 17"));

        Assert.StartsWith("line 1: expected no mutant: this build has no", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("seed x", "line 1: expected a seed of at most 64 bits, found 'seed x'")]
    [InlineData("\nset nothing 3", "line 2: expected the name of a setting: voters")]
    [InlineData("set voters 0", "line 1: expected a whole number from 1 to 7, found 'set voters 0'")]
    [InlineData("set voters 8", "line 1: expected a whole number from 1 to 7")]
    [InlineData("set clients 4294967297", "line 1: expected a whole number from 1 to 64")]
    [InlineData("operation 1 client 0 at 3: read k1", "line 1: expected 'operation NUMBER client N at SECONDS")]
    [InlineData("fault 1 Crash", "line 1: expected 'fault NUMBER KIND at SECONDS")]
    [InlineData("fault 1 Explosion at 3", "line 1: expected 'fault NUMBER KIND at SECONDS")]
    [InlineData("operation 1 client 1 at 3: jump k1", "line 1: expected a step: 'read K'")]
    [InlineData("fault 1 Crash at -5 nodes 1", "line 1: expected 'fault NUMBER KIND at SECONDS")]
    [InlineData("fault 1 20 at 5 nodes 1", "line 1: expected 'fault NUMBER KIND at SECONDS")]
    [InlineData("fault 1 Crash at 5", "line 1: expected 'fault NUMBER KIND at SECONDS")]
    [InlineData("fault 1 Crash at 5 nodes 77", "line 1: expected nodes by their places, 1 to 12")]
    [InlineData("fault 1 Crash at 5 nodes 1\nfault 1 Pause at 6 nodes 1", "line 2: expected a number that no fault")]
    [InlineData("operation 1 client 1 at -3: read k1", "line 1: expected 'operation NUMBER client N at SECONDS")]
    [InlineData("operation 1 client 1 at 3: delete k1", "line 1: expected 'session'")]
    [InlineData("operation 1 client 1 at 3: write k1 a; delete k1", "line 1: expected a key changed once")]
    [InlineData("operation 1 client 1 at 3 local: write k1 a", "line 1: expected a single 'read' of what is 'local'")]
    [InlineData(
        "operation 1 client 1 at 3: read k1\noperation 1 client 1 at 4: read k1",
        "line 2: expected a number that no operation has yet")]
    [InlineData(
        "operation 1 client 1 at 3: write k1 a\noperation 2 client 1 at 4: write k3 a",
        "line 2: expected a value that is written nowhere else")]
    [InlineData(
        "operation 1 client 1 at 3: write k1 a\noperation 2 client 1 at 4: append k1 b",
        "line 2: expected 'k1' only written or only appended to")]
    [InlineData("finds 99999", "line 1: expected the numbers of mutants")]
    [InlineData("set voters 3\nset voters 3", "line 2: expected 'set voters' once")]
    [InlineData("seed 3\nseed 4", "line 2: expected 'seed' once")]
    [InlineData("set safety-phase-us 0", "line 1: expected a whole number from 500000 to 600000000")]
    [InlineData("set safety-phase-us 600000001", "line 1: expected a whole number from 500000 to 600000000")]
    [InlineData("set voters 100000", "line 1: expected a whole number from 1 to 7")]
    [InlineData("set wal-segment-bytes 0", "line 1: expected a whole number from 512 to 1073741824")]
    [InlineData("set election-ticks 19\nseed 1", "the whole of it: expected election-ticks of at least two heartbeats")]
    [InlineData("", "line 1: expected a scenario, 'seed' at least, found nothing but comments")]
    [InlineData("# only a story\n", "line 1: expected a scenario, 'seed' at least, found nothing but comments")]
    [InlineData("nonsense", "line 1: expected 'title', 'finds', 'seed'")]
    public void A_wrong_line_is_named_with_what_was_expected(string text, string message)
    {
        var error = Assert.Throws<FormatException>(() => ScenarioText.Parse(text));

        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }
}
