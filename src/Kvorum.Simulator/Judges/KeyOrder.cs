namespace Kvorum.Simulator;

/// <summary>
/// One key's part of a total order: what happened to it at which revision, and between which revisions operations with
/// unknown outcome must have changed it. It leaves the other keys out, so what it finds impossible is impossible; what
/// it finds possible is only a good guess.
/// </summary>
internal sealed class KeyOrder
{
    private readonly TotalOrder _order;
    private readonly Func<int, long, long, bool> _mayChangeBetween;
    private readonly List<(int Place, KeyOperation Part)> _events;
    private readonly List<(int Place, KeyOperation Part)> _unknown;
    private readonly List<Frame> _frames = [];
    private readonly HashSet<(int Event, int Value, int Inserted, UInt128 Used)> _failed = [];

    /// <param name="mayChangeBetween">
    /// Whether an unknown operation may have an unclaimed revision above one and up to another.
    /// </param>
    public KeyOrder(
        TotalOrder order,
        List<(int Place, KeyOperation Part)> events,
        List<(int Place, KeyOperation Part)> unknown,
        Func<int, long, long, bool> mayChangeBetween)
    {
        _order = order;
        _events = events;
        _unknown = unknown;
        _mayChangeBetween = mayChangeBetween;
    }

    /// <summary>The operation that no choice got past, once <see cref="TrySolve"/> has said false.</summary>
    public int Blocked { get; private set; } = -1;

    /// <summary>What the key was when it came.</summary>
    public int BlockedValue { get; private set; }

    /// <summary>What the key was before each event, by the explanation found.</summary>
    public int[] ValuesBefore { get; private set; } = [];

    /// <summary>
    /// Finds unknown operations that explain the answers: each with the revisions it lies between.
    /// </summary>
    /// <param name="unclaimedUpTo">How many revisions up to one nobody surely claims.</param>
    /// <param name="stepsMax">Events looked at before giving up.</param>
    /// <returns>Null when it gave up; false when there is no explanation.</returns>
    public bool? TrySolve(Func<long, long> unclaimedUpTo, int stepsMax, List<(int Place, long After, long UpTo)> found)
    {
        if (_unknown.Count > 128)
        {
            return null;
        }

        var furthest = -1;
        _frames.Add(new Frame(0, ValueTable.Absent, 0, 0, -1));
        for (var steps = 0; _frames.Count > 0; steps++)
        {
            if (steps > stepsMax)
            {
                return null;
            }

            var top = _frames[^1];
            if (top.Event == _events.Count)
            {
                Collect(found);
                return true;
            }

            if (top.Event > furthest)
            {
                (furthest, Blocked, BlockedValue) = (top.Event, _events[top.Event].Place, top.Value);
            }

            if (!TryNext(top, unclaimedUpTo))
            {
                _failed.Add((top.Event, top.Value, top.Inserted, top.Used));
                _frames.RemoveAt(_frames.Count - 1);
            }
        }

        return false;
    }

    /// <summary>Goes on from a frame: first without an insertion, then with each one that may help.</summary>
    private bool TryNext(Frame top, Func<long, long> unclaimedUpTo)
    {
        var values = _order.Compiled.Values;
        var part = _events[top.Event].Part;
        var fits = part.TryApply(values, top.Value, out var after);
        if (top.NextOption == 0)
        {
            top.NextOption = 1;
            if (fits)
            {
                return TryPush(new Frame(top.Event + 1, after, 0, top.Used, -1)) || TryNext(top, unclaimedUpTo);
            }
        }

        var from = top.Event == 0 ? _order.EmptyRevision : _order[_events[top.Event - 1].Place].Revision;
        var to = _order[_events[top.Event].Place].Revision;
        if ((fits && TellsAll(part)) || unclaimedUpTo(to) - unclaimedUpTo(from) <= top.Inserted)
        {
            return false;
        }

        while (top.NextOption <= _unknown.Count)
        {
            var option = top.NextOption++ - 1;
            var bit = UInt128.One << option;
            if ((top.Used & bit) == 0 && _mayChangeBetween(_unknown[option].Place, from, to)
                && _unknown[option].Part.TryApply(values, top.Value, out var changed)
                && TryPush(new Frame(top.Event, changed, top.Inserted + 1, top.Used | bit, option)))
            {
                return true;
            }
        }

        return false;
    }

    private bool TryPush(Frame frame)
    {
        if (_failed.Contains((frame.Event, frame.Value, frame.Inserted, frame.Used)))
        {
            return false;
        }

        _frames.Add(frame);
        return true;
    }

    /// <summary>Whether an event that fits leaves nothing to gain from a change just before it.</summary>
    private static bool TellsAll(KeyOperation part)
    {
        var first = part.Steps[0];
        return part.Operation.Succeeded && (first.Kind is StepKind.Write or StepKind.Delete or StepKind.CompareValue
            || (first.IsSeen && first.Kind is StepKind.Read or StepKind.Append));
    }

    private void Collect(List<(int Place, long After, long UpTo)> found)
    {
        ValuesBefore = new int[_events.Count + 1];
        foreach (var frame in _frames)
        {
            ValuesBefore[frame.Event] = frame.Value;
            if (frame.Option >= 0)
            {
                var from = frame.Event == 0 ? _order.EmptyRevision : _order[_events[frame.Event - 1].Place].Revision;
                found.Add((_unknown[frame.Option].Place, from, _order[_events[frame.Event].Place].Revision));
            }
        }
    }

    /// <param name="eventIndex">The next event.</param>
    /// <param name="inserted">Unknown operations since the event before.</param>
    /// <param name="option">The unknown operation that made this frame; −1 for an event.</param>
    private sealed class Frame(int eventIndex, int value, int inserted, UInt128 used, int option)
    {
        public int Event { get; } = eventIndex;

        public int Value { get; } = value;

        public int Inserted { get; } = inserted;

        public UInt128 Used { get; } = used;

        public int Option { get; } = option;

        public int NextOption { get; set; }
    }
}
