using System.CommandLine;
using Kvorum.Cli.Serve;

namespace Kvorum.Cli.Client;

/// <summary>What every client command understands.</summary>
internal sealed class ClientOptions
{
    private const string EndpointsVariable = "KVORUM_ENDPOINTS";

    private readonly Option<string?> _endpoints = new("--endpoints")
    {
        Description = "Client URLs of the cluster, separated by commas; tried in this order. "
            + $"[environment: {EndpointsVariable}] [default: http://127.0.0.1:2379]",
        HelpName = "URLS",
    };

    private readonly Option<string?> _timeout = new("--timeout")
    {
        Description = "Give up after this long, such as 500ms or 10s. [default: 10s]",
        HelpName = "TIME",
    };

    public void AddTo(Command command)
    {
        command.Add(_endpoints);
        command.Add(_timeout);
    }

    public IReadOnlyList<Uri> Endpoints(ParseResult parsed)
    {
        var variable = Environment.GetEnvironmentVariable(EndpointsVariable);
        var (text, source) = (parsed.GetValue(_endpoints), variable) switch
        {
            ({ } flag, _) => (flag, "from the command line"),
            (null, { Length: > 0 }) => (variable, $"from environment {EndpointsVariable}"),
            _ => ("http://127.0.0.1:2379", "default"),
        };
        return Read("--endpoints", text, source, SettingText.Urls);
    }

    public TimeSpan Timeout(ParseResult parsed) =>
        Read("--timeout", parsed.GetValue(_timeout) ?? "10s", "from the command line",
            text => SettingText.Duration(text, 1, 3_600_000));

    public ClusterClient Connect(ParseResult parsed) => new(Endpoints(parsed), Timeout(parsed));

    private static T Read<T>(string flag, string text, string source, Func<string, T> read)
    {
        try
        {
            return read(text);
        }
        catch (FormatException e)
        {
            throw new UsageException($"{flag}: expected {e.Message}, found '{text}' ({source})");
        }
    }
}
