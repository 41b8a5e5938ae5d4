using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>What an operation may do to the state, as far as its steps and its answer tell.</summary>
internal enum ChangeKind : byte
{
    /// <summary>A read, a failed compare, or an operation that is not judged.</summary>
    None = 0,

    /// <summary>Deletes only: it changed something if there was something to delete.</summary>
    Maybe = 1,

    /// <summary>It wrote or appended.</summary>
    Sure = 2,
}

/// <summary>A history in the order of its revisions, and the checks that need no replay.</summary>
internal sealed class TotalOrder
{
    private readonly long[] _floors;

    public TotalOrder(IReadOnlyList<Operation> history, long emptyRevision)
    {
        EmptyRevision = emptyRevision;
        Compiled = new CompiledHistory(history);
        Changes = new ChangeKind[history.Count];
        var placed = new List<int>(history.Count);
        var unknown = new List<int>();
        for (var i = 0; i < history.Count; i++)
        {
            var operation = history[i];
            var change = ChangeOf(Compiled.Steps(i));
            if (operation.Outcome == OperationOutcome.Done && operation.Revision > 0)
            {
                Changes[i] = operation.Succeeded ? change : ChangeKind.None;
                placed.Add(i);
            }
            else if (operation.Outcome != OperationOutcome.NoEffect && change != ChangeKind.None
                && (operation.Succeeded || operation.Outcome == OperationOutcome.Unknown))
            {
                unknown.Add(i);
            }
        }

        Placed = SortBy(placed, i => history[i].Revision);
        Unknown = SortBy(unknown, i => history[i].Invoked);
        LastRevision = Placed.Length == 0 ? emptyRevision : Math.Max(emptyRevision, history[Placed[^1]].Revision);
        _floors = Sweep();
    }

    public long EmptyRevision { get; }

    public long LastRevision { get; }

    public CompiledHistory Compiled { get; }

    public ChangeKind[] Changes { get; }

    /// <summary>Operations with a revision, ordered by it.</summary>
    public int[] Placed { get; }

    /// <summary>Operations that may have taken effect at a revision nobody told, ordered by invocation.</summary>
    public int[] Unknown { get; }

    public Operation this[int place] => Compiled.Operations[place];

    /// <summary>The highest revision completed before the operation was invoked.</summary>
    public long Floor(int place) => _floors[place];

    public Verdict Violation(string anomaly, string explanation, params int[] places) =>
        new(TotalOrderJudge.Name, VerdictKind.Violation, anomaly, explanation,
            [.. places.Select(place => this[place].Number)]);

    /// <summary>Two operations that claim to be the same change, or one before the first.</summary>
    public Verdict? FindReusedRevision()
    {
        var previous = -1;
        foreach (var place in Placed)
        {
            var lowest = EmptyRevision + (Changes[place] == ChangeKind.Sure ? 1 : 0);
            if (this[place].Revision < lowest)
            {
                return Violation("impossible revision", string.Create(CultureInfo.InvariantCulture,
                    $"{Show(place)} is told revision {this[place].Revision}, but the lowest it can have is {lowest}."),
                    place);
            }

            if (Changes[place] != ChangeKind.Sure)
            {
                continue;
            }

            if (previous >= 0 && this[previous].Revision == this[place].Revision)
            {
                return Violation("reused revision", string.Create(CultureInfo.InvariantCulture,
                    $"{Show(previous)} and {Show(place)} both claim revision {this[place].Revision}; each change has "
                    + $"its own."), place, previous);
            }

            previous = place;
        }

        return null;
    }

    /// <summary>An operation whose revision is below one that was completed before it began.</summary>
    public Verdict? FindStale()
    {
        foreach (var place in Placed)
        {
            var isChange = Changes[place] == ChangeKind.Sure;
            var revision = this[place].Revision;
            if (this[place].IsLocal || revision > Floor(place) || (!isChange && revision == Floor(place)))
            {
                continue;
            }

            var witness = Array.Find(Placed, other => !this[other].IsLocal && this[other].Revision == Floor(place)
                && this[other].Returned < this[place].Invoked);
            return Violation(isChange ? "stale write" : "stale read", string.Create(CultureInfo.InvariantCulture,
                $"{Show(place)} took effect at revision {revision}, but {Show(witness)} had been answered with "
                + $"revision {Floor(place)} before it was invoked."), place, witness);
        }

        return null;
    }

    /// <summary>More revisions nobody claims than operations with unknown outcome.</summary>
    public Verdict? FindLostRevision()
    {
        var claimed = 0L;
        var previous = 0L;
        foreach (var place in Placed)
        {
            var revision = this[place].Revision;
            if (Changes[place] != ChangeKind.None && revision != previous && revision > EmptyRevision)
            {
                claimed++;
                previous = revision;
            }
        }

        var missing = LastRevision - EmptyRevision - claimed;
        return missing <= Unknown.Length ? null : Violation("lost revision", string.Create(
            CultureInfo.InvariantCulture,
            $"Up to revision {LastRevision} there are {missing} changes that no answer claims, but only "
            + $"{Unknown.Length} writes have an unknown outcome."), Placed[^1]);
    }

    /// <summary>An operation for a person: number, client and what it does.</summary>
    public string Show(int place) => OperationText.Show(this[place]);

    private static ChangeKind ChangeOf(ReadOnlySpan<CompiledStep> steps)
    {
        var change = ChangeKind.None;
        foreach (var step in steps)
        {
            if (step.Kind is StepKind.Write or StepKind.Append)
            {
                return ChangeKind.Sure;
            }

            change = step.Kind == StepKind.Delete ? ChangeKind.Maybe : change;
        }

        return change;
    }

    /// <summary>By key, then by place: an array sort alone is not stable.</summary>
    private static int[] SortBy(List<int> places, Func<int, long> key)
    {
        var sorted = places.ToArray();
        var keys = new long[sorted.Length];
        var isSorted = true;
        for (var i = 0; i < keys.Length; i++)
        {
            keys[i] = key(sorted[i]);
            isSorted &= i == 0 || keys[i] >= keys[i - 1];
        }

        if (isSorted)
        {
            return sorted;
        }

        Array.Sort(keys, sorted);
        for (var first = 0; first < keys.Length;)
        {
            var next = first + 1;
            while (next < keys.Length && keys[next] == keys[first])
            {
                next++;
            }

            Array.Sort(sorted, first, next - first);
            first = next;
        }

        return sorted;
    }

    private long[] Sweep()
    {
        var floors = new long[Changes.Length];
        var fresh = Placed.Where(place => !this[place].IsLocal).ToList();
        var byReturn = SortBy(fresh, place => this[place].Returned);
        var highest = 0L;
        var returned = 0;
        foreach (var place in SortBy(fresh, place => this[place].Invoked))
        {
            while (returned < byReturn.Length && this[byReturn[returned]].Returned < this[place].Invoked)
            {
                highest = Math.Max(highest, this[byReturn[returned++]].Revision);
            }

            floors[place] = highest;
        }

        return floors;
    }
}
