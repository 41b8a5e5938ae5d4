using System.CommandLine;
using System.Text;
using System.Text.Json;
using Kvorum.Cli.Client;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum append KEY ITEM': adds a string to the list a key holds.</summary>
internal static class AppendCommand
{
    private static readonly UTF8Encoding StrictText = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static Command Create()
    {
        var key = new Argument<string>("KEY") { Description = "The key." };
        var item = new Argument<string>("ITEM") { Description = "The text to add; '-' reads it from stdin." };
        var client = new ClientOptions();
        var command = new Command("append", "Add an item to the list of a key; a missing key becomes a list of one.") { key, item };
        client.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var name = KeyCalls.Required(parsed.GetRequiredValue(key));
            var text = await ValueInput.ReadAsync(parsed.GetRequiredValue(item), cancel).ConfigureAwait(false);
            using var cluster = client.Connect(parsed);
            var call = new Call(HttpMethod.Post, $"/keys/{ClusterClient.Segment(name)}", IsWrite: true)
            {
                Body = AppendBody(text),
                ContentType = "application/json",
            };
            KeyCalls.Demand(await cluster.SendAsync(call, cancel).ConfigureAwait(false));
            Console.WriteLine("OK");
            return ExitCode.Done;
        });
        return command;
    }

    private static byte[] AppendBody(byte[] text)
    {
        string item;
        try
        {
            item = StrictText.GetString(text);
        }
        catch (DecoderFallbackException)
        {
            throw new UsageException("Lists hold text: expected UTF-8, found other bytes.");
        }

        using var body = new MemoryStream();
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("type", "APPEND");
            json.WriteString("value", item);
            json.WriteEndObject();
        }

        return body.ToArray();
    }
}
