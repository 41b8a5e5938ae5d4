using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>The lists of a history: who appended what, in which order, and who read which version.</summary>
internal sealed class ListHistory
{
    private readonly Dictionary<string, int> _keys = new(StringComparer.Ordinal);
    private readonly List<ListKey> _lists = [];
    private readonly List<string> _parsed = [];
    private Verdict? _violation;

    public ListHistory(IReadOnlyList<Operation> operations)
    {
        Operations = operations;
        IsEffective = new bool[operations.Count];
        for (var place = 0; place < operations.Count; place++)
        {
            AddAppends(place);
        }

        for (var place = 0; place < operations.Count && _violation is null; place++)
        {
            var operation = operations[place];
            if (operation.Outcome == OperationOutcome.Done)
            {
                IsEffective[place] = operation.Succeeded;
                AddReads(place);
            }
        }

        foreach (var list in _lists)
        {
            MarkSeen(list);
        }
    }

    public IReadOnlyList<Operation> Operations { get; }

    public IReadOnlyList<ListKey> Lists => _lists;

    /// <summary>Whether the operation at a place surely took effect, or was seen to.</summary>
    public bool[] IsEffective { get; }

    /// <summary>What is wrong with single lists, without any order of operations.</summary>
    public Verdict? FindViolation() =>
        _violation ?? _lists.Select(FindViolation).FirstOrDefault(found => found is not null);

    public Verdict Violation(string anomaly, string explanation, params int[] places) => new(
        ListAppendJudge.Name, VerdictKind.Violation, anomaly, explanation,
        [.. places.Select(place => Operations[place].Number)]);

    public string Show(int place) => OperationText.Show(Operations[place]);

    private ListKey KeyOf(string text)
    {
        if (!_keys.TryGetValue(text, out var key))
        {
            key = _lists.Count;
            _keys.Add(text, key);
            _lists.Add(new ListKey(text));
        }

        return _lists[key];
    }

    private void AddAppends(int place)
    {
        var operation = Operations[place];
        var mayChange = operation.Outcome == OperationOutcome.Unknown
            || (operation.Outcome == OperationOutcome.Done && operation.Succeeded);
        foreach (var step in operation.Steps)
        {
            var key = KeyOf(step.Key);
            if (step.Kind == StepKind.Append)
            {
                var item = step.Argument ?? "";
                if (!key.Appended.TryAdd(item, key.Appends.Count))
                {
                    key.IsLeftOut = true; // Items must be unique to tell anything.
                }

                if (key.Appends.Count > 0 && key.Appends[^1].Place == place)
                {
                    key.Appends[^1].IsLast = false;
                }

                key.Appends.Add(new ListItem(item, place, mayChange));
            }
            else if (step.Kind is StepKind.Write or StepKind.Delete)
            {
                key.IsLeftOut |= mayChange;
            }
        }
    }

    /// <summary>Turns each read into the version it saw from outside: its own operation's appends taken off.</summary>
    private void AddReads(int place)
    {
        var operation = Operations[place];
        for (var i = 0; i < operation.Steps.Count && _violation is null; i++)
        {
            var step = operation.Steps[i];
            if (step.Kind != StepKind.Read || step.Seen is not { } seen)
            {
                continue;
            }

            var key = KeyOf(step.Key);
            _parsed.Clear();
            if (key.IsLeftOut)
            {
                continue;
            }

            if (seen.Value is not null && !ListText.TryParse(seen.Value, _parsed))
            {
                _violation = Violation("invented item",
                    $"{Show(place)} found {ValueTable.Cut(seen.Value)} in {key.Text}, which only appends made.", place);
                return;
            }

            AddRead(place, i, key);
        }
    }

    private void AddRead(int place, int stepIndex, ListKey key)
    {
        var operation = Operations[place];
        var items = new int[_parsed.Count];
        for (var i = 0; i < items.Length; i++)
        {
            if (!key.Appended.TryGetValue(_parsed[i], out items[i]))
            {
                _violation = Violation("invented item",
                    $"{Show(place)} found {_parsed[i]} in {key.Text}, which nobody appended.", place);
                return;
            }
        }

        // From the end backwards: this operation's own appends so far must stand there.
        var outside = items.Length;
        for (var i = stepIndex - 1; i >= 0; i--)
        {
            var before = operation.Steps[i];
            if (!operation.Succeeded || before.Kind != StepKind.Append || before.Key != key.Text)
            {
                continue;
            }

            if (outside == 0 || key.Appends[items[outside - 1]].Text != before.Argument)
            {
                _violation = Violation("internal",
                    $"{Show(place)} does not find its own append of {before.Argument} where it must stand.", place);
                return;
            }

            outside--;
        }

        if (Array.FindIndex(items, 0, outside, item => key.Appends[item].Place == place) >= 0)
        {
            _violation = Violation("internal", $"{Show(place)} found its own append before it made it.", place);
            return;
        }

        var own = key.Reads.Count > 0 && key.Reads[^1].Place == place ? key.Reads[^1] : null;
        if (own is not null && !own.Items.AsSpan(0, own.Outside).SequenceEqual(items.AsSpan(0, outside)))
        {
            _violation = Violation("internal",
                $"{Show(place)} read {key.Text} twice and found different items of others.", place);
            return;
        }

        key.Reads.Add(new VersionRead(place, items, outside));
        if (items.Length > key.Longest.Length)
        {
            (key.Longest, key.LongestReader) = (items, place);
        }
    }

    private void MarkSeen(ListKey list)
    {
        foreach (var item in list.Longest)
        {
            IsEffective[list.Appends[item].Place] |= list.Appends[item].MayBe;
        }
    }

    private Verdict? FindViolation(ListKey list)
    {
        for (var i = 0; i < list.Reads.Count; i++)
        {
            if (FindWrongItems(list, list.Reads[i], stamp: i) is { } violation)
            {
                return violation;
            }
        }

        foreach (var read in list.Reads)
        {
            var common = list.Longest.AsSpan().CommonPrefixLength(read.Items);
            if (common < read.Items.Length)
            {
                return Violation("incompatible order", string.Create(
                    CultureInfo.InvariantCulture,
                    $"{Show(read.Place)} found {list.Appends[read.Items[common]].Text} at place {common} of "
                    + $"{list.Text}, where {Show(list.LongestReader)} found "
                    + $"{list.Appends[list.Longest[common]].Text}."), read.Place, list.LongestReader);
            }
        }

        return list.Reads.Select(read => FindIntermediate(list, read)).FirstOrDefault(found => found is not null);
    }

    private Verdict? FindWrongItems(ListKey list, VersionRead read, int stamp)
    {
        foreach (var item in read.Items)
        {
            var append = list.Appends[item];
            if (!append.MayBe)
            {
                return Violation("G1a",
                    $"{Show(read.Place)} found {append.Text} in {list.Text}, but {Show(append.Place)} had no effect "
                    + $"(aborted read).", read.Place, append.Place);
            }

            if (append.LastSeenBy == stamp)
            {
                return Violation("duplicate",
                    $"{Show(read.Place)} found {append.Text} twice in {list.Text}.", read.Place, append.Place);
            }

            append.LastSeenBy = stamp;
        }

        return null;
    }

    private Verdict? FindIntermediate(ListKey list, VersionRead read)
    {
        if (read.Outside == 0)
        {
            return null;
        }

        var last = list.Appends[read.Items[read.Outside - 1]];
        return last.IsLast || last.Place == read.Place ? null : Violation("G1b",
            $"{Show(read.Place)} found {list.Text} ending in {last.Text}, but {Show(last.Place)} appended more to it "
            + $"(intermediate read).", read.Place, last.Place);
    }
}
