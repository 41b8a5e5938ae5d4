using System.Globalization;
using System.Text;

namespace Kvorum.Simulator;

/// <summary>Plans as text that a person can read and write; docs/simulator.md has the grammar.</summary>
/// <remarks>
/// One thing per line: "title …", "finds 13", "seed 42", "set voters 5", "fault 3 Crash at 12.5 for 2 nodes 1 2",
/// "operation 17 client 2 at 3.21 session: append k1 a17; read k3". Times in seconds. '#' begins a comment line.
/// </remarks>
public static class ScenarioText
{
    /// <summary>A plan as text; <see cref="Parse"/> gives it back.</summary>
    public static string Format(Scenario scenario)
    {
        var text = new StringBuilder();
        foreach (var line in scenario.Story.SelectMany(line => line.Split('\n')))
        {
            text.Append("# ").Append(line.TrimEnd()).Append('\n');
        }

        if (scenario.Title.Length > 0)
        {
            text.Append("title ").Append(scenario.Title).Append('\n');
        }

        if (scenario.Finds.Count > 0)
        {
            text.Append("finds ").AppendJoin(' ', scenario.Finds).Append('\n');
        }

        var plan = scenario.Plan;
        text.Append(CultureInfo.InvariantCulture, $"seed {plan.Seed}\n");
        foreach (var setting in SettingsTable.Changed(plan.Settings))
        {
            text.Append(CultureInfo.InvariantCulture, $"set {setting.Name} {setting.Get(plan.Settings)}\n");
        }

        foreach (var fault in plan.Faults)
        {
            Format(text, fault);
        }

        foreach (var operation in plan.Operations)
        {
            Format(text, operation);
        }

        return text.ToString();
    }

    /// <summary>Reads a scenario.</summary>
    /// <exception cref="FormatException">Names the line, what was expected and what was found.</exception>
    public static Scenario Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var reading = new ScenarioReader();
        var number = 0;
        foreach (var raw in text.Split('\n'))
        {
            number++;
            try
            {
                reading.Line(raw.TrimEnd('\r').Trim());
            }
            catch (FormatException e)
            {
                throw new FormatException($"line {number}: expected {e.Message}, found '{raw.Trim()}'", e);
            }
        }

        if (reading.IsEmpty)
        {
            throw new FormatException("line 1: expected a scenario, 'seed' at least, found nothing but comments");
        }

        var scenario = reading.Scenario;
        var (election, heartbeat) = (scenario.Plan.Settings.ElectionTicks, scenario.Plan.Settings.HeartbeatTicks);
        return election >= 2 * heartbeat
            ? scenario
            : throw new FormatException(
                "the whole of it: expected election-ticks of at least two heartbeats, "
                + $"found {election} and heartbeat-ticks of {heartbeat}");
    }

    private static void Format(StringBuilder text, Fault fault)
    {
        text.Append(CultureInfo.InvariantCulture, $"fault {fault.Number} {fault.Kind} at {Seconds(fault.At)}");
        if (fault.Duration != 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" for {Seconds(fault.Duration)}");
        }

        if (fault.Nodes.Count > 0)
        {
            text.Append(" nodes ").AppendJoin(' ', fault.Nodes);
        }

        if (fault.Amount != 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" amount {fault.Amount}");
        }

        text.Append('\n');
    }

    private static void Format(StringBuilder text, PlannedOperation operation)
    {
        text.Append(
            CultureInfo.InvariantCulture,
            $"operation {operation.Number} client {operation.Client} at {Seconds(operation.At)}");
        text.Append(operation.IsLocal ? " local" : "").Append(operation.HasSession ? " session" : "").Append(": ");
        text.AppendJoin("; ", operation.Steps.Select(Format)).Append('\n');
    }

    private static string Format(Step step) => step switch
    {
        { Kind: StepKind.Read } => $"read {step.Key}",
        { Kind: StepKind.Write } => $"write {step.Key} {step.Argument}",
        { Kind: StepKind.Delete } => $"delete {step.Key}",
        { Kind: StepKind.Append } => $"append {step.Key} {step.Argument}",
        { Argument: null } => $"expect-absent {step.Key}",
        _ => $"expect {step.Key} {step.Argument}",
    };

    private static string Seconds(long microseconds) =>
        (microseconds / 1_000_000m).ToString("0.######", CultureInfo.InvariantCulture);
}
