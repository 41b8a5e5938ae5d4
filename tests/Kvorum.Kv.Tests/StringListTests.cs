using System.Text;
using System.Text.Json;
using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>Lists of strings as JSON (RFC 8259): what is one, how it is written, and how an item is added.</summary>
public class StringListTests
{
    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private static string? Append(string stored, ReadOnlySpan<byte> item, out int count)
    {
        var status = StringList.TryAppend(Utf8(stored), item, new ListBuffer(), out var list, out count);
        return status == CommandStatus.Ok ? Text(list) : null;
    }

    [Theory]
    [InlineData("[]", 0)]
    [InlineData(" \t\r\n[ \t\r\n] \t\r\n", 0)]
    [InlineData("[\"\"]", 1)]
    [InlineData("[\"a\"]", 1)]
    [InlineData(" [ \"a\" , \"b\",\"c\" ] ", 3)]
    [InlineData("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", 1)]
    [InlineData("[\"\\u0041\\u00e9\\uABCD\\ud83d\\ude00\"]", 1)]
    [InlineData("[\"é😀\",\"]\",\",\",\"[\"]", 4)]
    [InlineData("[\"\u007f\"]", 1)]
    public void A_json_array_of_strings_is_a_list(string json, int expected)
    {
        Assert.True(StringList.TryParse(Utf8(json), out int count));
        Assert.Equal(expected, count);
        Assert.True(StringList.TryParse(Utf8(json), out List<string>? items));
        Assert.Equal(JsonSerializer.Deserialize<List<string>>(json), items);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("null")]
    [InlineData("\"a\"")]
    [InlineData("{}")]
    [InlineData("[")]
    [InlineData("]")]
    [InlineData("[\"a\"")]
    [InlineData("[\"a\",")]
    [InlineData("[\"a\",]")]
    [InlineData("[,\"a\"]")]
    [InlineData("[\"a\"\"b\"]")]
    [InlineData("[\"a\" \"b\"]")]
    [InlineData("[\"a\",,\"b\"]")]
    [InlineData("[\"a\"]]")]
    [InlineData("[\"a\"] x")]
    [InlineData("[\"a\"][]")]
    [InlineData("[1]")]
    [InlineData("[\"a\",1]")]
    [InlineData("[null]")]
    [InlineData("[true]")]
    [InlineData("[[\"a\"]]")]
    [InlineData("[{}]")]
    [InlineData("['a']")]
    [InlineData("[\"a]")]
    [InlineData("[\"\\\"]")]
    [InlineData("[\"\\")]
    [InlineData("[\"\\x\"]")]
    [InlineData("[\"\\u12\"]")]
    [InlineData("[\"\\u12g4\"]")]
    [InlineData("[\"\\u123")]
    [InlineData("[\"\\ud800\"]")]
    [InlineData("[\"\\ud800x\"]")]
    [InlineData("[\"\\ud800\\u0041\"]")]
    [InlineData("[\"\\udc00\"]")]
    [InlineData("[\"a\nb\"]")]
    [InlineData("[\"a\u0000b\"]")]
    [InlineData("\uFEFF[]")]
    [InlineData("[]\0")]
    [InlineData("[\u000b]")]
    public void Anything_else_is_no_list(string json)
    {
        Assert.False(StringList.TryParse(Utf8(json), out int _));
        Assert.False(StringList.TryParse(Utf8(json), out List<string>? items));
        Assert.Null(items);
        Assert.Null(Append(json, "x"u8, out var count));
        Assert.Equal(0, count);
    }

    [Theory]
    [InlineData(new byte[] { 0x80 })]
    [InlineData(new byte[] { 0xC0, 0x80 })]
    [InlineData(new byte[] { 0xED, 0xA0, 0x80 })] // Half a surrogate pair.
    [InlineData(new byte[] { 0xF8, 0x88, 0x80, 0x80, 0x80 })]
    [InlineData(new byte[] { 0xE2, 0x82 })]
    public void Bytes_that_are_not_utf8_are_no_list_and_no_item(byte[] bytes)
    {
        byte[] json = [.. "[\""u8, .. bytes, .. "\"]"u8];
        Assert.False(StringList.TryParse(json, out int _));
        Assert.Null(Append("[]", bytes, out _));
    }

    [Fact]
    public void A_list_is_written_without_white_space_and_with_the_fewest_escapes()
    {
        string[] items = ["", "a", "\"\\/", "\b\f\n\r\t", "\u0000\u001f\u007f", "é€😀"];
        var json = Text(StringList.Encode(items));
        Assert.Equal(
            "[\"\",\"a\",\"\\\"\\\\/\",\"\\b\\f\\n\\r\\t\",\"\\u0000\\u001f\u007f\",\"é€😀\"]", json);
        Assert.Equal(items, JsonSerializer.Deserialize<string[]>(json));
        Assert.Equal("[]", Text(StringList.Encode([])));
    }

    [Fact]
    public void Half_a_surrogate_pair_cannot_be_written()
    {
        Assert.Throws<ArgumentException>(() => StringList.Encode(["\ud800"]));
        Assert.Throws<ArgumentException>(() => StringList.Encode(["a", "b\udc00c"]));
    }

    [Fact]
    public void Every_character_comes_back_as_it_went_in()
    {
        for (var character = 0; character <= 0xFFFF; character += character < 0x300 ? 1 : 0x101)
        {
            if (char.IsSurrogate((char)character))
            {
                continue;
            }

            string[] items = [$"{(char)character}", $"a{(char)character}{(char)character}b"];
            var json = StringList.Encode(items);
            Assert.True(StringList.TryParse(json, out List<string>? back));
            Assert.Equal(items, back);
            Assert.Equal(items, JsonSerializer.Deserialize<string[]>(json));
        }
    }

    [Theory]
    [InlineData("[]", "[\"x\"]", 1)]
    [InlineData(" [ ] ", " [\"x\"]", 1)]
    [InlineData("[\"a\"]", "[\"a\",\"x\"]", 2)]
    [InlineData("[ \"a\" ,\"b\" \n] ", "[ \"a\" ,\"b\",\"x\"]", 3)]
    [InlineData("[\"\\u0041\"]", "[\"\\u0041\",\"x\"]", 2)]
    public void An_item_goes_behind_the_last_one_and_the_old_ones_keep_their_bytes(
        string stored, string expected, int expectedCount)
    {
        Assert.Equal(expected, Append(stored, "x"u8, out var count));
        Assert.Equal(expectedCount, count);
    }

    [Fact]
    public void An_appended_item_is_escaped()
    {
        var list = Append("[]", Utf8("say \"no\"\n\u0001\\é"), out _)!;
        Assert.Equal("[\"say \\\"no\\\"\\n\\u0001\\\\é\"]", list);
        Assert.Equal(["say \"no\"\n\u0001\\é"], JsonSerializer.Deserialize<string[]>(list)!);
    }

    [Fact]
    public void A_list_may_reach_the_largest_value_and_not_pass_it()
    {
        var stored = Utf8("[\"" + new string('a', KvLimits.ValueBytesMax - 9) + "\"]");
        var buffer = new ListBuffer();
        Assert.Equal(CommandStatus.Ok, StringList.TryAppend(stored, "xy"u8, buffer, out var list, out var count));
        Assert.Equal((KvLimits.ValueBytesMax, 2), (list.Length, count));
        Assert.Equal(CommandStatus.ValueTooLarge, StringList.TryAppend(stored, "xyz"u8, buffer, out list, out count));
        Assert.Equal((0, 0), (list.Length, count));
    }

    /// <summary>
    /// A judge written by others decides what is a list; ours may differ on half surrogate pairs only.
    /// </summary>
    [Fact]
    public void Random_texts_are_lists_exactly_when_the_reference_parser_says_so()
    {
        string[] parts =
            ["[", "]", "\"", ",", " ", "a", "\\", "\\u0041", "\\n", "\"b\"", "[\"a\"", "é", "1", "null", "\n"];
        var random = new Random(7);
        var lists = 0;
        for (var i = 0; i < 2_000; i++)
        {
            List<string> chosen = ["[", "\"b\"", ",", "\"", "a", "\\n", "\"", " ", "]"];
            for (var change = random.Next(3); change > 0; change--)
            {
                chosen[random.Next(chosen.Count)] = parts[random.Next(parts.Length)];
            }

            var json = string.Concat(chosen);
            var expected = Reference(json);
            Assert.Equal(expected is not null, StringList.TryParse(Utf8(json), out int count));
            Assert.Equal(expected?.Count ?? 0, expected is null ? 0 : count);
            lists += expected is null ? 0 : 1;
        }

        Assert.True(lists > 50, "The texts must hold lists too.");
    }

    private static List<string>? Reference(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            return root.ValueKind == JsonValueKind.Array
                && root.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
                ? [.. root.EnumerateArray().Select(item => item.GetString()!)]
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
