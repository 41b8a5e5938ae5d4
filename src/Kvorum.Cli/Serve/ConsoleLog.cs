using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Kvorum.Cli.Serve;

/// <summary>Log lines to a stream, written by one thread so that a slow reader never holds up a node.</summary>
internal sealed class ConsoleLoggerFactory : ILoggerFactory
{
    /// <summary>The most lines waiting; more are dropped and counted.</summary>
    public const int QueueMax = 8192;

    private readonly BlockingCollection<string> _queue = new(QueueMax);
    private readonly Stream _output;
    private readonly Thread _writer;
    private long _dropped;
    private bool _disposed;

    public ConsoleLoggerFactory(Stream output, LogFormat format, LogLevel level)
    {
        _output = output;
        Format = format;
        Level = level;
        _writer = new Thread(WriteLoop) { IsBackground = true, Name = "console log" };
        _writer.Start();
    }

    public LogFormat Format { get; }

    public LogLevel Level { get; }

    public ILogger CreateLogger(string categoryName) => new ConsoleLogger(this, categoryName);

    public void AddProvider(ILoggerProvider provider) =>
        throw new NotSupportedException("This log has one destination.");

    public void Write(string line)
    {
        try
        {
            if (_queue.TryAdd(line))
            {
                return;
            }
        }
        catch (InvalidOperationException)
        {
            // The log was closed a moment ago: this line came too late, like those that find the queue full.
        }

        Interlocked.Increment(ref _dropped);
    }

    /// <summary>
    /// Writes out what waits, for at most a second: a reader that has gone must not keep the process alive.
    /// </summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _queue.CompleteAdding();
        _writer.Join(TimeSpan.FromSeconds(1));
    }

    private void WriteLoop()
    {
        foreach (var line in _queue.GetConsumingEnumerable())
        {
            var dropped = Interlocked.Exchange(ref _dropped, 0);
            var text = dropped == 0 ? $"{line}\n" : $"({dropped} log lines dropped: the reader is too slow)\n{line}\n";
            try
            {
                _output.Write(Encoding.UTF8.GetBytes(text));
            }
            catch (IOException)
            {
                // Nobody reads stderr any more; the node goes on without a log.
            }
        }
    }
}

/// <summary>Formats one line: "2026-01-31T12:00:00.123Z info Kvorum.Node[3] text", or a JSON object.</summary>
internal sealed class ConsoleLogger(ConsoleLoggerFactory factory, string category) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    // The web host's own chatter is of interest only when something is wrong there.
    public bool IsEnabled(LogLevel logLevel) =>
        logLevel != LogLevel.None
        && logLevel >= factory.Level
        && (logLevel >= LogLevel.Warning || !category.StartsWith("Microsoft.", StringComparison.Ordinal));

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            var message = formatter(state, exception);
            var time = DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
            factory.Write(factory.Format == LogFormat.Json
                ? Json(time, logLevel, eventId, message, exception)
                : Text(time, logLevel, eventId, message, exception));
        }
    }

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Trace => "trace",
        LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "error",
        _ => "critical",
    };

    private string Text(string time, LogLevel level, EventId id, string message, Exception? exception)
    {
        var line = $"{time} {NameOf(level),-5} {category}[{id.Id}] {message}";
        return exception is null ? line : $"{line}{Environment.NewLine}{exception}";
    }

    private string Json(string time, LogLevel level, EventId id, string message, Exception? exception)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("time", time);
            json.WriteString("level", NameOf(level));
            json.WriteString("category", category);
            json.WriteNumber("event", id.Id);
            json.WriteString("message", message);
            if (exception is not null)
            {
                json.WriteString("exception", exception.ToString());
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}
