using System.CommandLine;
using Kvorum.Cli.Serve;

namespace Kvorum.Cli.Members;

/// <summary>Where a new node is reached.</summary>
internal sealed class PlaceOptions
{
    private readonly Option<string> _peerUrl = new("--peer-url")
    {
        Description = "Where the other nodes reach it.",
        HelpName = "URL",
        Required = true,
    };

    private readonly Option<string?> _clientUrls = new("--client-urls")
    {
        Description = "Where clients reach it; it tells by itself when it runs.",
        HelpName = "URLS",
    };

    public void AddTo(Command command)
    {
        command.Add(_peerUrl);
        command.Add(_clientUrls);
    }

    public Uri PeerUrl(ParseResult parsed) => Read("--peer-url", parsed.GetRequiredValue(_peerUrl)) is [var only]
        ? only
        : throw new UsageException("--peer-url: expected one URL, found several.");

    public IReadOnlyList<Uri>? ClientUrls(ParseResult parsed) =>
        parsed.GetValue(_clientUrls) is { } text ? Read("--client-urls", text) : null;

    private static IReadOnlyList<Uri> Read(string flag, string text)
    {
        try
        {
            return SettingText.Urls(text);
        }
        catch (FormatException e)
        {
            throw new UsageException($"{flag}: expected {e.Message}, found '{text}'.");
        }
    }
}
