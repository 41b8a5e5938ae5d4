using Microsoft.Extensions.Logging;

namespace Kvorum.Node.Tests;

/// <summary>Who knocks without end does not fill the log.</summary>
public sealed class RefusalLogTests
{
    private readonly HandTime _time = new();
    private readonly LineLogger _lines = new();
    private readonly RefusalLog _log;

    public RefusalLogTests() => _log = new RefusalLog(_time, _lines);

    [Fact]
    public void Refusal_that_repeats_is_told_once_a_minute_with_its_count()
    {
        for (var second = 0; second < 61; second++)
        {
            _log.Refused(7, "it is not a member.");
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(
            ["Node 7 is refused: it is not a member.", "Node 7 is refused, 59 times more since: it is not a member."],
            _lines.Lines);
    }

    [Fact]
    public void Another_peer_and_another_reason_are_news()
    {
        _log.Refused(7, "one.");
        _log.Refused(8, "one.");
        _log.Refused(7, "two.");
        Assert.Equal(3, _lines.Lines.Count);
    }

    [Fact]
    public void Strangers_without_end_are_summed_up_and_room_is_made_later()
    {
        for (var peer = 1UL; peer <= 10_000; peer++)
        {
            _log.Refused(peer, "no.");
        }

        Assert.Equal(RefusalLog.KnownMax + 1, _lines.Lines.Count);
        _time.Advance(RefusalLog.RepeatAfter);
        _log.Refused(20_000, "no.");
        Assert.Equal("Node 4e20 is refused: no.", _lines.Lines[^1]);
    }

    private sealed class LineLogger : ILogger
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => Lines.Add(formatter(state, exception));
    }
}
