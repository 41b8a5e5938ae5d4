using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>
/// Knows only that a list grows at its end: every acknowledged append stands exactly once, at the place its length
/// told, in every list at least that long, and lists are beginnings of one another.
/// </summary>
/// <remarks>
/// Keys that somebody may have written or deleted start anew in between; for them only items that appear twice, were
/// refused or were never appended are looked for. Local reads count for what they hold, not for when they were made.
/// </remarks>
public sealed class AppendJudge : IJudge
{
    internal const string Name = "append";

    public Verdict Judge(IReadOnlyList<Operation> history)
    {
        var order = new List<string>();
        var keys = new Dictionary<string, AppendKey>(StringComparer.Ordinal);
        foreach (var operation in history)
        {
            foreach (var step in operation.Steps)
            {
                if (!keys.TryGetValue(step.Key, out var key))
                {
                    key = new AppendKey(step.Key);
                    keys.Add(step.Key, key);
                    order.Add(step.Key);
                }

                key.Add(operation, step);
            }
        }

        foreach (var key in order)
        {
            if (keys[key].FindViolation() is { } violation)
            {
                return violation;
            }
        }

        return Verdict.Valid(Name);
    }
}

/// <summary>What is known of one key's list.</summary>
internal sealed class AppendKey(string key)
{
    private readonly Dictionary<string, AppendedItem> _items = new(StringComparer.Ordinal);
    private readonly List<AppendedItem> _appends = [];
    private readonly List<ListRead> _reads = [];
    private bool _isOverwritten;
    private Operation? _noList;

    public void Add(Operation operation, Step step)
    {
        var isDone = operation.Outcome == OperationOutcome.Done;
        var mayChange = operation.Outcome == OperationOutcome.Unknown || (isDone && operation.Succeeded);
        switch (step.Kind)
        {
            case StepKind.Append:
                var item = new AppendedItem(
                    operation, step.Argument ?? "", mayChange, isDone && mayChange, step.Seen?.Length ?? 0);
                _appends.Add(item);
                _items.TryAdd(item.Text, item);
                break;
            case StepKind.Write or StepKind.Delete:
                _isOverwritten |= mayChange;
                break;
            case StepKind.Read when isDone && step.Seen is { } seen:
                var items = new List<string>();
                if (seen.Value is null || ListText.TryParse(seen.Value, items))
                {
                    _reads.Add(new ListRead(operation, items));
                }
                else
                {
                    _noList ??= operation;
                }

                break;
        }
    }

    public Verdict? FindViolation()
    {
        if (_noList is not null && !_isOverwritten)
        {
            return Violation("invented item", _noList, "found a value that appends cannot have made");
        }

        return FindWrongItem() ?? (_isOverwritten ? null : FindWrongOrder() ?? FindWrongPlace() ?? FindLate());
    }

    private Verdict? FindWrongItem()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var read in _reads)
        {
            seen.Clear();
            foreach (var text in read.Items)
            {
                if (!_items.TryGetValue(text, out var item))
                {
                    if (!_isOverwritten)
                    {
                        return Violation("invented item", read.Operation, $"found {text}, which nobody appended");
                    }
                }
                else if (!item.MayBe)
                {
                    return Violation("effect of a refused append", read.Operation,
                        $"found {text}, but {OperationText.Show(item.Operation)} had no effect", item.Operation);
                }

                if (!seen.Add(text))
                {
                    return Violation("duplicate", read.Operation, $"found {text} twice");
                }
            }
        }

        return null;
    }

    private Verdict? FindWrongOrder()
    {
        var longest = Longest();
        foreach (var read in _reads)
        {
            for (var i = 0; i < read.Items.Count; i++)
            {
                if (read.Items[i] != longest!.Items[i]) // There is a read, so there is a longest.
                {
                    return Violation("incompatible order", read.Operation, string.Create(
                        CultureInfo.InvariantCulture,
                        $"found {read.Items[i]} at place {i}, where {OperationText.Show(longest.Operation)} found "
                        + $"{longest.Items[i]}"), longest.Operation);
                }
            }
        }

        return null;
    }

    /// <summary>Acknowledged appends against the longest list, and against one another.</summary>
    private Verdict? FindWrongPlace()
    {
        var list = Longest();
        var places = new Dictionary<long, AppendedItem>();
        for (var i = 0; list is not null && i < list.Items.Count; i++)
        {
            places.Add(i + 1, _items[list.Items[i]]);
        }

        foreach (var item in _appends)
        {
            if (!item.IsAcknowledged || item.Length == 0)
            {
                continue;
            }

            if (!places.TryAdd(item.Length, item) && places[item.Length] != item)
            {
                var other = places[item.Length];
                return list is not null && item.Length <= list.Items.Count && !list.Items.Contains(item.Text)
                    ? Violation("lost append", item.Operation, string.Create(
                        CultureInfo.InvariantCulture,
                        $"was acknowledged with length {item.Length}, but {OperationText.Show(list.Operation)} found "
                        + $"{other.Text} there"), list.Operation)
                    : Violation("wrong length", item.Operation, string.Create(
                        CultureInfo.InvariantCulture,
                        $"was acknowledged with length {item.Length}, but that place is of "
                        + $"{OperationText.Show(other.Operation)}"), other.Operation);
            }
        }

        foreach (var (place, item) in places.OrderBy(place => place.Key))
        {
            if (item.IsAcknowledged && item.Length > 0 && item.Length != place)
            {
                return Violation("wrong length", item.Operation, string.Create(
                    CultureInfo.InvariantCulture,
                    $"was acknowledged with length {item.Length}, but stands at place {place - 1}"));
            }
        }

        return FindHole(places);
    }

    /// <summary>
    /// Places nobody is known to hold need appends with unknown outcome, invoked before the place was first known to be
    /// taken. Deadlines rise with the place, so the earliest append may take the first hole.
    /// </summary>
    private Verdict? FindHole(Dictionary<long, AppendedItem> places)
    {
        var last = places.Count == 0 ? 0 : places.Keys.Max();
        var holders = new HashSet<AppendedItem>(places.Values);
        var free = new Queue<AppendedItem>(_appends
            .Where(item => item.MayBe && !holders.Contains(item) && (!item.IsAcknowledged || item.Length == 0))
            .OrderBy(item => item.Operation.Invoked));
        var witnesses = _appends.Where(item => item.IsAcknowledged && item.Length > 0)
            .Select(item => (item.Length, item.Operation))
            .OrderBy(witness => witness.Length)
            .ToList();
        var earliest = new (long Length, Operation Operation)[witnesses.Count];
        for (var i = witnesses.Count - 1; i >= 0; i--)
        {
            var isLater = i + 1 < earliest.Length
                && earliest[i + 1].Operation.Returned < witnesses[i].Operation.Returned;
            earliest[i] = isLater ? earliest[i + 1] : witnesses[i];
        }

        if (last - places.Count > free.Count)
        {
            return HoleViolation(last, witnesses);
        }

        for (long place = 1, next = 0; place <= last; place++)
        {
            while (next < witnesses.Count && witnesses[(int)next].Length < place)
            {
                next++;
            }

            if (!places.ContainsKey(place)
                && (!free.TryDequeue(out var item) || item.Operation.Invoked > earliest[next].Operation.Returned))
            {
                return HoleViolation(place, witnesses);
            }
        }

        return null;
    }

    private Verdict HoleViolation(long place, List<(long Length, Operation Operation)> witnesses)
    {
        var witness = witnesses.First(witness => witness.Length >= place).Operation;
        return Violation("wrong length", witness,
            "counts an item that no append can have made: none with unknown outcome is left that was invoked in time");
    }

    /// <summary>Once a length was answered, later appends are longer and later reads at least as long.</summary>
    private Verdict? FindLate()
    {
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        var longest = Longest()?.Items ?? [];
        for (var i = 0; i < longest.Count; i++)
        {
            places.Add(longest[i], i + 1);
        }

        var moments = new List<Moment>();
        foreach (var item in _appends.Where(item => item.MayBe))
        {
            var length = item.Length > 0 && item.IsAcknowledged ? item.Length : places.GetValueOrDefault(item.Text);
            if (length > 0 || item.IsAcknowledged)
            {
                // Acknowledged without a length and in no list: it is behind every list.
                moments.Add(new Moment(item.Operation, length > 0 ? length : longest.Count + 1, true));
            }
        }

        moments.AddRange(_reads.Where(read => !read.Operation.IsLocal)
            .Select(read => new Moment(read.Operation, read.Items.Count, false)));
        var ended = new Queue<Moment>(moments.Where(moment => moment.Operation.Outcome == OperationOutcome.Done)
            .OrderBy(moment => moment.Operation.Returned));
        Moment? highest = null;
        foreach (var moment in moments.OrderBy(moment => moment.Operation.Invoked))
        {
            while (ended.TryPeek(out var end) && end.Operation.Returned < moment.Operation.Invoked)
            {
                highest = highest is null || end.Length > highest.Length ? end : highest;
                ended.Dequeue();
            }

            if (highest is not null && moment.Length < highest.Length + (moment.IsAppend ? 1 : 0))
            {
                return LateViolation(moment, highest, longest);
            }
        }

        return null;
    }

    private Verdict LateViolation(Moment moment, Moment highest, List<string> longest)
    {
        var isLost = !moment.IsAppend && highest.IsAppend && longest.Count < highest.Length;
        var anomaly = moment.IsAppend ? "late append" : isLost ? "lost append" : "stale read";
        return Violation(anomaly, moment.Operation, string.Create(
            CultureInfo.InvariantCulture,
            $"tells a length of {moment.Length}, but {OperationText.Show(highest.Operation)} had told {highest.Length} "
            + $"before it was invoked"), highest.Operation);
    }

    private ListRead? Longest()
    {
        ListRead? longest = null;
        foreach (var read in _reads)
        {
            longest = longest is null || read.Items.Count > longest.Items.Count ? read : longest;
        }

        return longest;
    }

    private Verdict Violation(string anomaly, Operation first, string reason, params Operation[] others) => new(
        AppendJudge.Name, VerdictKind.Violation, anomaly, $"Key {key}: {OperationText.Show(first)} {reason}.",
        [first.Number, .. others.Select(other => other.Number)]);

    private sealed record Moment(Operation Operation, long Length, bool IsAppend);
}

/// <param name="MayBe">Whether it may have taken effect.</param>
/// <param name="IsAcknowledged">Whether it surely took effect.</param>
/// <param name="Length">The length it was answered with; 0 when not told.</param>
internal sealed record AppendedItem(Operation Operation, string Text, bool MayBe, bool IsAcknowledged, long Length);

/// <param name="Items">Empty for an absent key.</param>
internal sealed record ListRead(Operation Operation, List<string> Items);
