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
    [InlineData("nonsense", "line 1: expected 'title', 'finds', 'seed'")]
    public void A_wrong_line_is_named_with_what_was_expected(string text, string message)
    {
        var error = Assert.Throws<FormatException>(() => ScenarioText.Parse(text));

        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }
}
