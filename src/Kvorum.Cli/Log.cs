using Microsoft.Extensions.Logging;

namespace Kvorum.Cli;

/// <summary>Every log line of 'serve' itself; ids from 3000, never reused.</summary>
internal static partial class Log
{
    [LoggerMessage(3000, LogLevel.Warning, "Setting: {Warning}")]
    public static partial void SettingWarning(this ILogger log, string warning);

    [LoggerMessage(3002, LogLevel.Information, "Stopping: {Reason}")]
    public static partial void Stopping(this ILogger log, string reason);

    [LoggerMessage(3003, LogLevel.Critical, "Node {Name} stopped by itself: {Reason}")]
    public static partial void StoppedByItself(this ILogger log, string name, string reason);

    [LoggerMessage(3004, LogLevel.Error, "Could not stop within {Seconds} s; ending anyway")]
    public static partial void StopTimedOut(this ILogger log, double seconds);
}
