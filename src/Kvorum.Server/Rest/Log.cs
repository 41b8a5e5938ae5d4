using Microsoft.Extensions.Logging;

namespace Kvorum.Server.Rest;

/// <summary>Log lines of the HTTP interface; ids 2500 to 2999, never reused.</summary>
internal static partial class Log
{
    [LoggerMessage(2500, LogLevel.Error, "A request failed unexpectedly: {Method} on route {Route}")]
    public static partial void RequestFailed(ILogger logger, Exception exception, string method, string route);
}
