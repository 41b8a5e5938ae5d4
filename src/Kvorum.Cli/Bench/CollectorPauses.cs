using System.Diagnostics.Tracing;

namespace Kvorum.Cli.Bench;

/// <summary>Listens to the runtime for the longest single pause of the garbage collector.</summary>
/// <remarks>The total is known without events, but the runtime keeps only the pauses of the last collection.</remarks>
internal sealed class CollectorPauses : EventListener
{
    private const string RuntimeSource = "Microsoft-Windows-DotNETRuntime";
    private const EventKeywords CollectorKeyword = (EventKeywords)0x1;
    private const int SuspendBegin = 9;
    private const int RestartEnd = 3;

    private readonly Lock _lock = new();
    private DateTime? _suspended;
    private TimeSpan _longest;

    /// <summary>The longest pause since the last call.</summary>
    public TimeSpan TakeLongest()
    {
        lock (_lock)
        {
            var longest = _longest;
            _longest = TimeSpan.Zero;
            return longest;
        }
    }

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == RuntimeSource)
        {
            EnableEvents(eventSource, EventLevel.Informational, CollectorKeyword);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        lock (_lock)
        {
            if (eventData.EventId == SuspendBegin)
            {
                _suspended = IsForCollection(eventData) ? eventData.TimeStamp : null;
            }
            else if (eventData.EventId == RestartEnd && _suspended is { } since)
            {
                var pause = eventData.TimeStamp - since;
                _longest = pause > _longest ? pause : _longest;
                _suspended = null;
            }
        }
    }

    /// <summary>Threads are also suspended for other ends, such as a debugger's: 1 and 6 mean a collection.</summary>
    private static bool IsForCollection(EventWrittenEventArgs data) =>
        data.Payload is [{ } reason, ..] && Convert.ToInt64(reason, null) is 1 or 6;
}
