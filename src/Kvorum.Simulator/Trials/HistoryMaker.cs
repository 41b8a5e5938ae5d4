namespace Kvorum.Simulator;

/// <summary>What kinds of operations a made history has.</summary>
internal enum Mix
{
    /// <summary>Everything: registers, lists, deletes, compares, transactions over two keys, local reads.</summary>
    Mixed,

    /// <summary>One key per operation: reads, writes, deletes, appends, compares.</summary>
    SingleKey,

    /// <summary>One key, written a lot; half of the writes are unanswered, or answered when all else is over.</summary>
    InDoubt,

    /// <summary>One append or read per operation.</summary>
    Appends,

    /// <summary>Transactions of appends and reads.</summary>
    ListTransactions,
}

/// <summary>
/// Histories of a correct store: clients overlap, operations take effect at a moment between invocation and answer,
/// and some answers are lost. Every draw comes from the seed.
/// </summary>
internal sealed class HistoryMaker
{
    /// <summary>When all else is over.</summary>
    private const long End = 1L << 50;

    private readonly KeyedChance _chance;
    private readonly Mix _workload;
    private readonly List<(long Effect, Operation Operation)> _calls = [];
    private readonly int _keys;
    private ulong _counter;
    private int _values;

    private readonly bool _isAnswered;

    private HistoryMaker(ulong seed, Mix workload, int keys, bool isAnswered)
    {
        _isAnswered = isAnswered;
        _keys = keys;
        _chance = new KeyedChance(seed);
        _workload = workload;
    }

    /// <param name="keys">Times two registers and two lists.</param>
    /// <param name="isAnswered">Every operation was answered; what the store refused had no effect.</param>
    public static List<Operation> Make(
        ulong seed, Mix workload, int count, int clients = 3, int slack = 1_000, int keys = 1,
        bool isAnswered = false) =>
        new HistoryMaker(seed, workload, keys, isAnswered).Make(count, clients, slack);

    private List<Operation> Make(int count, int clients, int slack)
    {
        var now = new long[clients];
        for (var i = 0; i < count; i++)
        {
            AddCall(i, Draw(clients), slack, now);
        }

        var stores = new List<SmallStore> { SmallStore.Empty };
        var answered = new List<Operation>();
        foreach (var (_, call) in _calls.OrderBy(call => call.Effect))
        {
            // A local read may look at an old state.
            var store = call.IsLocal ? stores[^(1 + Draw(Math.Min(3, stores.Count)))] : stores[^1];
            if (call.Outcome == OperationOutcome.NoEffect || (call.Outcome == OperationOutcome.Unknown && Draw(2) == 0))
            {
                answered.Add(WithoutAnswer(call));
                continue;
            }

            var (after, answer) = store.Run(call);
            stores.Add(call.IsLocal ? stores[^1] : after);
            var isRefused = !answer.Succeeded && !HasCompare(call);
            answered.Add(call.Outcome == OperationOutcome.Unknown ? WithoutAnswer(call)
                : isRefused ? WithoutAnswer(call) with { Outcome = OperationOutcome.NoEffect }
                : answer);
        }

        return [.. answered.OrderBy(operation => operation.Invoked)
            .Select((operation, number) => operation with { Number = number })];
    }

    /// <summary>Times are multiples of 1,000 plus a number of their own, so no two are equal.</summary>
    private void AddCall(int i, int client, int slack, long[] now)
    {
        var steps = Spread(Steps());
        var isWrite = steps.Exists(step => step.Kind is StepKind.Write or StepKind.Delete or StepKind.Append);
        var isLocal = !isWrite && _workload == Mix.Mixed && steps.All(step => step.Kind == StepKind.Read)
            && Draw(4) == 0;
        var outcome = Draw(8) switch
        {
            _ when _isAnswered => OperationOutcome.Done,
            0 => OperationOutcome.NoEffect,
            1 or 2 => OperationOutcome.Unknown,
            _ => OperationOutcome.Done,
        };
        var invoked = now[client] + 1_000 * (1 + Draw(slack));
        var effect = invoked + 1_000 * (1 + Draw(slack));
        var returned = effect + 1_000 * (1 + Draw(slack));
        now[client] = returned;
        var isOpen = _workload == Mix.InDoubt && isWrite && !_isAnswered && Draw(2) == 0;
        if (outcome == OperationOutcome.Unknown || isOpen)
        {
            effect += 1_000 * Draw(3 * slack);
            returned = isOpen ? End : returned;
        }

        _calls.Add((effect + 3 * i, new Operation(
            i, client, invoked + 3 * i + 1,
            outcome == OperationOutcome.Unknown ? long.MaxValue : returned + 3 * i + 2,
            outcome, 0, isWrite, isLocal, true, steps)));
    }

    private List<Step> Steps()
    {
        switch (_workload)
        {
            case Mix.Appends:
                return [Draw(2) == 0 ? Append("l0") : Read("l0")];
            case Mix.ListTransactions:
                return ListTransaction();
            case Mix.InDoubt:
                return Draw(12) == 0 ? [Append("r0")] : Draw(3) == 0 ? [Write("r0")] : Register("r0");
            case Mix.SingleKey:
                var key = Draw(3) == 0 ? "l0" : "r0";
                return key == "l0" && Draw(8) > 0 ? [Draw(2) == 0 ? Append(key) : Read(key)] : Register(key);
            default:
                return Draw(4) switch
                {
                    0 => [Draw(2) == 0 ? Append("l0") : Read("l0")],
                    1 => [.. Register("r0"), .. Draw(2) == 0 ? Register("r1") : [Append("l0")]],
                    _ => Register(Draw(2) == 0 ? "r0" : "r1"),
                };
        }
    }

    /// <summary>The same steps on another set of keys.</summary>
    private List<Step> Spread(List<Step> steps)
    {
        var set = _keys == 1 ? 0 : Draw(_keys);
        return set == 0 ? steps : [.. steps.Select(step => step with { Key = $"{step.Key}.{set}" })];
    }

    private List<Step> Register(string key) => Draw(8) switch
    {
        0 or 1 => [Write(key)],
        2 => [new Step(StepKind.Delete, key, null, null)],
        3 => [new Step(StepKind.CompareValue, key, Pool(), null), Write(key)],
        4 => [Read(key), Write(key)],
        _ => [Read(key)],
    };

    private List<Step> ListTransaction()
    {
        var steps = new List<Step>();
        for (var i = 1 + Draw(3); i > 0; i--)
        {
            var key = Draw(2) == 0 ? "l0" : "l1";
            var isWritten = steps.Exists(step => step.Kind == StepKind.Append && step.Key == key);
            steps.Add(Draw(2) == 0 && !isWritten ? Append(key) : Read(key));
        }

        return steps;
    }

    private string? Pool() => _values == 0 || Draw(3) == 0 ? null : $"v{Draw(_values)}";

    private Step Write(string key) => new(StepKind.Write, key, $"v{_values++}", null);

    private Step Append(string key) => new(StepKind.Append, key, $"i{_values++}", null);

    private static Step Read(string key) => new(StepKind.Read, key, null, null);

    private static bool HasCompare(Operation call) => call.Steps.Any(step => step.Kind == StepKind.CompareValue);

    private static Operation WithoutAnswer(Operation call) =>
        call with { Steps = [.. call.Steps.Select(step => step with { Seen = null })] };

    private int Draw(int bound) => _chance.Below(bound, ChanceStream.Workload, 1, _counter++);
}
